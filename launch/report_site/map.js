// What the table shows as points: any number against any other, a click leads to the page.
"use strict";
(function () {
  const site = window.hightcSite;
  const fold = document.getElementById("map");
  const place = document.getElementById("map-plot");
  const axes = ["map-x", "map-y"].map((name) => document.getElementById(name));
  const at = Object.fromEntries(site.keys.map((key, index) => [key, index]));
  const colors = { answered: "blue", gated: "orange", failed: "vermilion", unfinished: "sky" };
  let loaded = null;

  function load() {
    loaded = loaded || new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = "assets/plotly.min.js";
      script.addEventListener("load", done);
      script.addEventListener("error", fail);
      document.head.append(script);
    });
    return loaded;
  }

  function trace(outcome, rows, [x, y]) {
    return {
      type: "scatter", mode: "markers", name: outcome, customdata: rows.map((row) => row.address),
      x: rows.map((row) => row.cells[x][0]), y: rows.map((row) => row.cells[y][0]),
      // labels are shown as they are: plotly would read markup in them
      text: rows.map((row) => row.cells[at.material].replaceAll("<", "&lt;")),
      hovertemplate: "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
      marker: { color: `@${colors[outcome] || "soft"}`, size: 7, opacity: 0.75 },
    };
  }

  async function draw() {
    if (!fold.open) return;
    await load();
    const chosen = axes.map((axis) => at[axis.value]);
    const known = site.shown.filter((row) => chosen.every((index) => row.cells[index] !== null && row.cells[index][0] !== null));
    const outcomes = [...new Set(known.map((row) => row.cells[at.outcome]))].sort();
    const data = outcomes.map((outcome) => trace(outcome, known.filter((row) => row.cells[at.outcome] === outcome), chosen));
    const [x, y] = axes.map((axis) => ({ title: { text: axis.selectedOptions[0].textContent } }));
    window.hightcDraw(place, { data, layout: { xaxis: x, yaxis: y, showlegend: true } });
    document.getElementById("map-count").textContent = `${known.length} of ${site.shown.length} materials have both`;
    place.removeAllListeners("plotly_click");
    place.on("plotly_click", (event) => { location.href = event.points[0].customdata; });
  }

  for (const axis of axes) {
    for (const option of Array.from(axis.options)) {
      if (site.rows.every((row) => row.cells[at[option.value]] === null)) option.remove();
    }
    axis.addEventListener("change", draw);
  }
  if (axes[0].options.length < 2) fold.hidden = true;
  const first = Array.from(axes[0].options, (option) => option.value);
  axes[0].value = first.includes("lambda") ? "lambda" : first[1];
  axes[1].value = first[0];
  fold.addEventListener("toggle", draw);
  window.addEventListener("hightc-shown", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
