// The table of materials: sorting, filtering, paging, sharing a view by its address, and taking it away as CSV.
"use strict";
(function () {
  const site = window.hightcSite;
  const form = document.getElementById("filters");
  const table = document.getElementById("materials");
  const headings = Array.from(table.tHead.rows[0].cells);
  const keys = headings.map((heading) => heading.dataset.key);
  const kinds = headings.map((heading) => heading.dataset.kind);
  const at = Object.fromEntries(site.keys.map((key, index) => [key, index]));
  const collator = new Intl.Collator("en", { numeric: true });
  const places = keys.map((key) => at[key]);
  const state = { sort: null, down: false, page: 0, shown: [] };

  // a cell is a text, or [number, text, low, high]; null where nothing is known
  const number = (cell) => (cell === null ? null : cell[0]);
  const text = (cell) => (cell === null ? "" : Array.isArray(cell) ? cell[1] : cell);
  const symbols = (value) => value.split(/[\s,;]+/).filter(Boolean).map((word) => word[0].toUpperCase() + word.slice(1).toLowerCase());

  function conditions() {
    const given = new FormData(form);
    const found = [];
    const typed = String(given.get("q") || "").trim().toLowerCase();
    if (typed) {
      const searched = ["material", "formula", "campaign", "space_group", "reason"].map((key) => at[key]);
      found.push((row) => searched.some((index) => text(row.cells[index]).toLowerCase().includes(typed)));
    }
    const all = symbols(String(given.get("el") || ""));
    const none = symbols(String(given.get("no") || ""));
    const only = symbols(String(given.get("only") || ""));
    if (all.length) found.push((row) => all.every((symbol) => row.elements.includes(symbol)));
    if (none.length) found.push((row) => !none.some((symbol) => row.elements.includes(symbol)));
    if (only.length) found.push((row) => row.elements.every((symbol) => only.includes(symbol)));
    for (const group of form.querySelectorAll("fieldset[data-choice]")) {
      const index = at[group.dataset.choice];
      const chosen = given.getAll(group.dataset.choice);
      if (chosen.length) found.push((row) => chosen.includes(text(row.cells[index])));
    }
    for (const group of form.querySelectorAll("fieldset[data-range]")) {
      const index = at[group.dataset.range];
      const [low, high] = ["-min", "-max"].map((end) => String(given.get(group.dataset.range + end) || "").trim());
      // what is not known is in no range
      if (low) found.push((row) => number(row.cells[index]) !== null && number(row.cells[index]) >= Number(low));
      if (high) found.push((row) => number(row.cells[index]) !== null && number(row.cells[index]) <= Number(high));
    }
    return found;
  }

  function select() {
    const wanted = conditions();
    state.shown = site.rows.filter((row) => wanted.every((holds) => holds(row)));
    if (state.sort === null) return;
    const index = at[state.sort];
    const numeric = kinds[keys.indexOf(state.sort)] === "number";
    const value = numeric ? (row) => number(row.cells[index]) : (row) => row.cells[index];
    const compare = numeric ? (one, other) => one - other : collator.compare;
    const sign = state.down ? -1 : 1;
    state.shown.sort((first, second) => {
      const one = value(first);
      const other = value(second);
      // what is not known comes last either way
      if (one === null || other === null) return (one === null) - (other === null);
      return sign * compare(one, other);
    });
  }

  function cell(row, index) {
    const element = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) {
      const link = document.createElement("a");
      link.href = row.address;
      link.textContent = text(row.cells[places[0]]);
      element.scope = "row";
      element.append(link);
      return element;
    }
    element.textContent = text(row.cells[places[index]]);
    element.hidden = headings[index].hidden;
    element.className = kinds[index];
    if (keys[index] === "outcome") element.classList.add(element.textContent);
    return element;
  }

  function draw() {
    const size = Number(document.getElementById("page-size").value);
    const pages = Math.max(1, Math.ceil(state.shown.length / size));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * size;
    const part = state.shown.slice(first, first + size);
    const rows = part.map((row) => {
      const line = document.createElement("tr");
      line.append(...keys.map((key, index) => cell(row, index)));
      return line;
    });
    table.tBodies[0].replaceChildren(...rows);
    for (const heading of headings) {
      const sorted = heading.dataset.key === state.sort;
      if (sorted) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
    const range = part.length ? `${first + 1}–${first + part.length} of ` : "";
    const total = state.shown.length === site.rows.length ? "" : ` (of ${site.rows.length} in all)`;
    document.getElementById("count").textContent = `${range}${state.shown.length} materials${total}`;
    document.getElementById("previous").disabled = state.page === 0;
    document.getElementById("next").disabled = state.page >= pages - 1;
    document.getElementById("nothing").hidden = state.shown.length > 0;
    site.shown = state.shown;
    window.dispatchEvent(new Event("hightc-shown"));
  }

  function remember() {
    const view = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (String(value).trim()) view.append(name, String(value).trim());
    if (state.sort !== null) view.set("sort", (state.down ? "-" : "") + state.sort);
    const hash = view.toString();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
  }

  function recall() {
    const view = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") field.checked = view.getAll(field.name).includes(field.value);
      else field.value = view.get(field.name) || "";
    }
    const sort = view.get("sort") || site.sort;
    state.down = sort.startsWith("-");
    state.sort = keys.find((key) => key === sort.replace(/^-/, "")) || null;
    state.page = 0;
    const used = Array.from(new FormData(form)).some(([name, value]) => name !== "q" && String(value).trim());
    if (used) document.getElementById("more").open = true;
    update();
  }

  function update() {
    select();
    draw();
  }

  function changed() {
    state.page = 0;
    update();
    remember();
  }

  function csv() {
    const quote = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    // a spreadsheet takes what begins like this for a formula
    const safe = (value) => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
    const ranged = keys.map((key, index) => kinds[index] === "number" && site.rows.some((row) => (row.cells[places[index]] || []).length === 4));
    const names = keys.flatMap((key, index) => (ranged[index] ? [key, `${key}_low`, `${key}_high`] : [key]));
    const plain = (value) => (value === null || value === undefined ? "" : String(value));
    const lines = state.shown.map((row) =>
      places.flatMap((place, index) => {
        const value = row.cells[place];
        if (kinds[index] === "text") return [quote(safe(text(value)))];
        const [middle, , low, high] = value || [null];
        return (ranged[index] ? [middle, low, high] : [middle]).map(plain);
      }),
    );
    const content = [names, ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
    link.download = `${site.name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function prepare() {
    headings.forEach((heading, index) => {
      heading.hidden = index > 0 && site.rows.every((row) => row.cells[places[index]] === null);
      if (site.hidden.includes(heading.dataset.key)) heading.hidden = true;
      heading.querySelector("button").addEventListener("click", () => {
        const key = heading.dataset.key;
        // numbers begin with the largest, which is what one looks for
        state.down = state.sort === key ? !state.down : kinds[index] === "number";
        state.sort = key;
        changed();
      });
    });
    for (const group of form.querySelectorAll("fieldset[data-range], fieldset[data-choice]")) {
      group.hidden = headings[keys.indexOf(group.dataset.range || group.dataset.choice)].hidden;
    }
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(changed));
    document.getElementById("page-size").addEventListener("change", changed);
    document.getElementById("previous").addEventListener("click", () => { state.page -= 1; draw(); });
    document.getElementById("next").addEventListener("click", () => { state.page += 1; draw(); });
    document.getElementById("csv").addEventListener("click", csv);
    window.addEventListener("hashchange", recall);
    recall();
  }

  prepare();
})();
