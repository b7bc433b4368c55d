"use strict";
// Before anything is laid out: with a script, one Service is shown at a time. If the script fails, all are, as without one.
document.documentElement.classList.add("works");
addEventListener("error", () => document.documentElement.classList.remove("works"));
