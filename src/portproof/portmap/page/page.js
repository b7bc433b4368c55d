"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const search = byId("pageSearch"), only = byId("pageBroken"), choice = byId("pageEnvironment"), count = byId("pageCount");
  const none = document.querySelector(".none");
  const overview = byId("pageOverview");
  const articles = [...document.querySelectorAll("main > article")];
  const rows = [...document.querySelectorAll(".index li > a")].map((link) => ({
    link,
    list: link.closest("ul"),
    group: link.closest("section"),
    rank: 0,
    article: byId(link.hash.slice(1)),
    found: JSON.parse(link.dataset.found || "[]"),
    plain: JSON.parse(link.dataset.found || "[]").map((text) => text.toLowerCase()),
    environments: JSON.parse(link.dataset.environments || "[]"),
    note: link.querySelector("small"),
    brief: link.querySelector("small").textContent,
  }));
  const groups = [...document.querySelectorAll(".index section")];
  const homes = new Map();
  for (const article of articles) {
    for (const id of [article.id, ...JSON.parse(article.dataset.aliases || "[]")]) homes.set(id, article);
  }
  let shown = null;

  // ---- choosing a Service -------------------------------------------------------------------------------------------
  const upgrade = (article) => {
    if (article.dataset.ready) return;
    article.dataset.ready = "yes";
    for (const old of article.querySelectorAll("span.stop")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = old.className;
      Object.assign(button.dataset, old.dataset);
      button.append(...old.childNodes);
      old.replaceWith(button);
    }
    for (const pre of article.querySelectorAll(".runbook pre")) {
      const box = document.createElement("div"), button = document.createElement("button");
      box.className = "command";
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", () => copy(pre, button));
      pre.replaceWith(box);
      box.append(pre, button);
    }
    const drawn = article.querySelector(".drawn");
    if (drawn) new ResizeObserver(() => article === shown && draw(article)).observe(drawn);
  };
  const copy = async (pre, button) => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  const show = (article, land) => {
    const hadFocus = document.activeElement;
    if (shown !== article) {
      if (shown) {
        shown.classList.remove("shown");
        for (const old of shown.querySelectorAll(".drawn svg")) old.remove();
      }
      shown = article;
      article.classList.add("shown");
      upgrade(article);
      for (const row of rows) {
        if (row.article === article) row.link.setAttribute("aria-current", "true");
        else row.link.removeAttribute("aria-current");
      }
      document.title = article === overview ? "Port map" : `${article.querySelector("h2").textContent}: port map`;
      follow(article, null);
      draw(article);
    }
    root.classList.toggle("reading", article !== overview);
    const current = rows.find((row) => row.article === article);
    if (current) current.link.scrollIntoView({ block: "nearest" });
    const stop = land && stops(article).find((one) => one.dataset.key === land && !one.closest("tbody").hidden);
    if (stop) stop.focus();
    else if (hadFocus !== document.body) article.querySelector("h2").focus({ preventScroll: true });
    scrollTo(0, 0);
  };
  const chosen = () => homes.get(decodeURIComponent(location.hash.slice(1))) || overview;
  // Back and forward, and addresses that somebody types.
  addEventListener("popstate", () => show(chosen(), ""));
  const go = (hash, land) => {
    if (hash !== location.hash) history.pushState(null, "", hash);
    show(chosen(), land);
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.classList.contains("skip") || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(link.hash, link.dataset.land || "");
  });

  // ---- search and filters -------------------------------------------------------------------------------------------
  const isNumber = (word) => /^\d+$/.test(word);
  const numbers = (text) => text.match(/\d+/g) || [];
  const matching = (word) => {
    if (!isNumber(word)) return (text) => text.includes(word);
    const whole = rows.some((row) => row.plain.some((text) => numbers(text).includes(word)));
    return (text) => numbers(text).some((one) => (whole ? one === word : one.startsWith(word)));
  };
  const filter = () => {
    const typed = search.value.trim().toLowerCase();
    const words = typed.split(/\s+/).filter(Boolean).map(matching);
    const environment = choice && choice.value ? JSON.parse(choice.value)[0] : "";
    let left = 0, all = 0;
    for (const row of rows) {
      const service = row.link.dataset.found !== undefined;
      const why = words.map((fits) => row.plain.findIndex(fits));
      const fits = why.every((at) => at >= 0)
        && (!environment || !service || row.environments.includes(environment))
        && (!only || !only.checked || "broken" in row.link.dataset)
        && (service || !words.length);
      row.link.parentNode.hidden = !fits;
      row.article.classList.toggle("out", !fits);
      // What matched, where it is not the name itself.
      const because = [...new Set(why.filter((at) => at > 0))].map((at) => row.found[at]);
      row.note.textContent = because.length ? because.join(", ") : row.brief;
      row.rank = !fits ? 3 : because.length || !service ? 2 : row.link.querySelector("b").textContent.toLowerCase() === typed ? 0 : 1;
      if (service) { all += 1; left += fits; }
    }
    arrange(Boolean(words.length));
    for (const line of document.querySelectorAll(".way tbody")) {
      const where = JSON.parse(line.dataset.environments);
      line.hidden = Boolean(environment) && where.length > 0 && !where.includes(environment);
    }
    root.classList.toggle("searching", left < all || words.length > 0);
    count.textContent = left === all ? count.dataset.all : `${left} of ${count.dataset.all}`;
    none.hidden = left > 0 || all === 0;
    if (shown) draw(shown);
  };
  // Services that are called so come before those that have to do with one.
  const arrange = (searched) => {
    const ordered = searched ? [...rows].sort((a, b) => a.rank - b.rank) : rows;
    for (const row of ordered) row.list.append(row.link.parentNode);
    const wanted = searched ? [...new Set(ordered.map((row) => row.group))] : groups;
    for (const group of wanted) {
      group.hidden = !rows.some((row) => row.group === group && row.rank < 3);
      group.parentNode.append(group);
    }
  };
  const visible = () => [...document.querySelectorAll(".index li > a")].filter((link) => link.offsetParent);
  search.addEventListener("input", filter);
  for (const one of [only, choice]) if (one) one.addEventListener("change", filter);
  document.querySelector(".clear").addEventListener("click", () => {
    search.value = "";
    if (only) only.checked = false;
    if (choice) choice.value = "";
    filter();
    search.focus();
  });

  // ---- the way of a request -----------------------------------------------------------------------------------------
  const stops = (article) => [...article.querySelectorAll(".stop")];
  const after = (one) => one.dataset.next.split(" ").filter(Boolean);
  const reach = (several, from, forward) => {
    const found = new Set(), left = [from];
    while (left.length) {
      const one = left.pop();
      if (found.has(one)) continue;
      found.add(one);
      left.push(...(forward
        ? several.filter((each) => after(one).includes(each.dataset.number))
        : several.filter((each) => after(each).includes(one.dataset.number))));
    }
    return found;
  };
  const draw = (article) => {
    const drawn = article.querySelector(".drawn");
    if (!drawn) return;
    const old = drawn.querySelector("svg");
    if (old) old.remove();
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("aria-hidden", "true");
    const frame = drawn.getBoundingClientRect();
    const several = stops(article).filter((one) => !one.classList.contains("next") && one.offsetParent);
    const byNumber = new Map(several.map((one) => [one.dataset.number, one]));
    const line = (shape, from, to, kind) => {
      const path = document.createElementNS(space, "path");
      path.setAttribute("d", shape);
      path.setAttribute("class", kind);
      path.dataset.from = from.dataset.number;
      path.dataset.to = to.dataset.number;
      svg.append(path);
    };
    for (const from of several) {
      for (const to of after(from).map((number) => byNumber.get(number))) {
        if (!to) continue;
        const a = from.getBoundingClientRect(), b = to.getBoundingClientRect();
        const x = a.right - frame.left, y = a.top + 30 - frame.top; // 30: half of the least height, so that lines are straight
        const right = b.left - frame.left, low = b.top + 30 - frame.top, half = Math.min((right - x) / 2, 60);
        const inVain = to.dataset.verdict === "missed" && to.matches(".end, .port") && (to.matches(".end") || !after(to).length);
        const kind = inVain ? "missed" : to.dataset.verdict === "unknown" && to.matches(".end") ? "unknown" : "";
        line(`M${x} ${y}C${x + half} ${y} ${right - half} ${low} ${right} ${low}`, from, to, kind);
        if (inVain) line(`M${(x + right) / 2 - 5} ${(y + low) / 2 - 5}l10 10m0 -10l-10 10`, from, to, "missed mark");
        else line(`M${right - 6} ${low - 4}l5 4l-5 4`, from, to, `${kind} mark`);
      }
    }
    drawn.append(svg);
    mark(article);
  };
  let followed = null;
  const follow = (article, stop) => {
    followed = stop;
    mark(article);
    const text = article.querySelector(".said");
    if (text) text.textContent = stop ? spoken(article, stop) : text.dataset.hint;
  };
  const way = (article, stop) => {
    const several = stops(article);
    return new Set([...reach(several, stop, false), ...reach(several, stop, true)]);
  };
  const mark = (article) => {
    const on = followed && article.contains(followed) ? way(article, followed) : new Set();
    const numbers = new Set([...on].map((one) => one.dataset.number));
    for (const one of stops(article)) one.classList.toggle("on", on.has(one));
    for (const path of article.querySelectorAll(".drawn path")) {
      path.classList.toggle("on", numbers.has(path.dataset.from) && numbers.has(path.dataset.to));
    }
  };
  const label = (one) => [...one.querySelectorAll("b, small")].map((each) => each.textContent).join(", ");
  const spoken = (article, stop) => {
    const on = stops(article).filter((one) => one === stop || (way(article, stop).has(one) && !one.classList.contains("next")));
    const ends = on.filter((one) => one.matches(".end"));
    const verdicts = { reached: "reached", missed: "not reached", unknown: "not known" };
    const column = (at) => on.filter((one) => Number(one.closest("td").dataset.column) === at && !one.classList.contains("next"));
    const parts = [0, 1, 2].map((at) => column(at).map(label).join(" and ")).filter(Boolean);
    const last = ends.map((one) => `${label(one)}: ${verdicts[one.dataset.verdict]}`);
    const text = [...parts, last.join(" and ") || verdicts[on.find((one) => one.matches(".port")).dataset.verdict]].join(" → ");
    return stop.classList.contains("next") ? `${text} → Service ${label(stop)}` : text;
  };
  document.addEventListener("focusin", (event) => {
    if (!shown) return;
    const stop = event.target.closest(".stop");
    if (stop && shown.contains(stop)) follow(shown, stop);
  });
  document.addEventListener("click", (event) => {
    const stop = event.target.closest("button.stop");
    if (stop && shown) follow(shown, stop);
  });

  // ---- the keyboard -------------------------------------------------------------------------------------------------
  const step = (several, from, by) => several[several.indexOf(from) + by];
  const seen = (article) => stops(article).filter((one) => one.offsetParent);
  const column = (one) => (one.classList.contains("next") ? "next" : one.closest("td").dataset.column);
  const byKey = (key, at) => {
    if (at === search) return key === "ArrowDown" ? visible()[0] : null;
    if (at.matches(".index li > a")) {
      if (key === "ArrowUp") return step(visible(), at, -1) || search;
      if (key === "ArrowDown") return step(visible(), at, 1);
      if (key === "ArrowRight" && shown && at.hasAttribute("aria-current")) return seen(shown)[0];
      return null;
    }
    if (at.matches(".stop")) {
      const several = seen(shown);
      const alike = several.filter((one) => column(one) === column(at));
      if (key === "ArrowUp") return step(alike, at, -1);
      if (key === "ArrowDown") return step(alike, at, 1);
      if (key === "ArrowRight") return several.find((one) => after(at).includes(one.dataset.number));
      if (key === "ArrowLeft") {
        return several.find((one) => after(one).includes(at.dataset.number)) || document.querySelector(".index a[aria-current]");
      }
    }
    if (at.matches("h2") && key === "ArrowRight") return shown && seen(shown)[0];
    if (at.matches("h2") && key === "ArrowLeft") return document.querySelector(".index a[aria-current]") || visible()[0];
    return null;
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement;
    if (event.key === "/" && !at.matches("input, select")) {
      event.preventDefault();
      if (root.classList.contains("reading") && !search.offsetParent) go("#pageOverview", "");
      search.focus();
      search.select();
    } else if (event.key === "Escape" && shown && shown.contains(at)) {
      const listed = visible();
      if (listed.length) (listed.find((link) => link.hasAttribute("aria-current")) || listed[0]).focus();
      else go("#pageOverview", "");
    } else if (event.key === "Enter" && at === search && visible().length) {
      visible()[0].click();
    } else if (event.key.startsWith("Arrow")) {
      const next = byKey(event.key, at);
      if (next) {
        event.preventDefault();
        next.focus();
      }
    }
  });

  // ---- printing: what is folded is opened, in browsers whose style cannot -------------------------------------------
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  for (const one of document.querySelectorAll(".tools, .keys")) one.hidden = false;
  filter();
  show(chosen(), "");
  addEventListener("load", () => scrollTo(0, 0));
})();
