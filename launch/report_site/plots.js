// Figures of a page: plotly draws each when it comes near the window, in the colours of the page, light or dark.
"use strict";
(function () {
  const source = document.getElementById("figures");
  const figures = source ? JSON.parse(source.textContent) : {};
  const drawn = new Set();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function color(name) {
    const [token, share] = name.split("/");
    const found = getComputedStyle(document.documentElement);
    const value = (found.getPropertyValue(`--figure-${token}`) || found.getPropertyValue(`--${token}`)).trim();
    if (!share) return value;
    const [red, green, blue] = [1, 3, 5].map((place) => parseInt(value.slice(place, place + 2), 16));
    return `rgba(${red}, ${green}, ${blue}, ${share})`;
  }

  // "@x" stands for shared numbers or for a colour of the page
  function filled(value, shared) {
    if (typeof value === "string" && value.startsWith("@")) {
      const name = value.slice(1);
      return Object.hasOwn(shared, name) ? shared[name] : color(name);
    }
    if (Array.isArray(value)) return value.map((item) => filled(item, shared));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, shared)]));
  }

  function layout(own, height) {
    const ink = color("ink");
    const axis = { linecolor: color("soft"), gridcolor: color("line"), zerolinecolor: color("line"), showline: true, ticks: "inside", zeroline: false, automargin: true, tickangle: 0, title: { standoff: 8 } };
    const complete = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: 'system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif', size: 12 },
      hoverlabel: { bgcolor: color("card"), bordercolor: color("soft"), font: { color: ink } },
      margin: own.scene ? { l: 0, r: 0, t: 30, b: 0 } : { l: 52, r: 16, t: 30, b: 40 },
      // below the title of the axis, whatever the height
      legend: { orientation: "h", x: 0, y: own.scene ? 0 : -56 / (height - 130), yanchor: "top", font: { size: 11 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("soft"), activecolor: color("link") },
      hovermode: "closest",
      ...own,
    };
    for (const name of Object.keys(own)) {
      if (!/^[xy]axis\d*$/.test(name)) continue;
      complete[name] = { ...axis, mirror: name.startsWith("x") ? "all" : true, ...own[name], title: { ...axis.title, ...own[name].title } };
    }
    return complete;
  }

  function draw(element, figure = figures[element.dataset.figure]) {
    const shared = figure.shared || {};
    const config = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    window.Plotly.react(element, filled(figure.data, shared), layout(filled(figure.layout, shared), element.clientHeight), config);
  }

  window.hightcDraw = draw;
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        observer.unobserve(entry.target);
        draw(entry.target);
        drawn.add(entry.target);
      }
    },
    { rootMargin: "600px" },
  );
  const places = document.querySelectorAll("[data-figure]");
  places.forEach((element) => observer.observe(element));
  dark.addEventListener("change", () => drawn.forEach((element) => draw(element)));
  window.addEventListener("beforeprint", () => places.forEach((element) => { if (!drawn.has(element)) draw(element); }));
})();
