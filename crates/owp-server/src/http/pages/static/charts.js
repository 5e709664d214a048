// Draws the charts of a page from its table of numbers. Without scripts, the table alone says the same.
(() => {
const DAY_SECS = 86400;
const HEIGHT = 190;
let drawn = [];

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A column of the table: its numbers by day, oldest first; null where there is none.
function column(table, key) {
  const cells = table.querySelectorAll(`tbody [data-key="${key}"]`);
  return [...cells].map((cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value))).reverse();
}

function series(own) {
  const stroke = color(own.dataset.color);
  const line = { label: own.textContent, stroke, width: 2, spanGaps: true, points: { size: 5, fill: stroke } };
  if (own.dataset.draw !== "bars") return line;
  return { ...line, width: 0, fill: stroke, points: { show: false }, paths: uPlot.paths.bars({ size: [0.6, 40] }) };
}

function draw(chart, table) {
  const place = chart.querySelector(".plot");
  const shown = [...chart.querySelectorAll("[data-series]")];
  const days = [...table.querySelectorAll("tbody tr")].map((row) => Number(row.dataset.day) * DAY_SECS).reverse();
  const data = [days, ...shown.map((own) => column(table, own.dataset.series))];
  const dates = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const unit = chart.dataset.unit ?? "";
  const most = Number(chart.dataset.most) || null;
  const top = (_, min, max) => [0, most ?? Math.max(1, Math.ceil(max * 1.1))];
  const plot = new uPlot({
    width: place.clientWidth,
    height: HEIGHT,
    // Days begin at midnight in UTC.
    tzDate: (secs) => uPlot.tzDate(new Date(secs * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false },
    padding: [8, 4, 0, 0],
    // Half a day on both sides, for the first and the last bar.
    scales: { x: { range: (_, min, max) => [min - DAY_SECS / 2, max + DAY_SECS / 2] }, y: { range: top } },
    axes: [{ ...axis, values: (_, marks) => marks.map((mark) => dates.format(new Date(mark * 1000))) },
      { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 10000], values: (_, marks) => marks.map((mark) => `${mark}${unit}`) }],
    series: [{}, ...shown.map(series)],
  }, data, place);
  drawn.push(plot);
}

function drawAll() {
  for (const plot of drawn) plot.destroy();
  drawn = [];
  const table = document.querySelector("table.days");
  if (!table) return;
  for (const chart of document.querySelectorAll("figure.chart")) draw(chart, table);
}

let due = null;
function soon() {
  clearTimeout(due);
  due = setTimeout(drawAll, 100);
}

drawAll();
addEventListener("resize", soon);
// A page that was updated has new, empty places for charts; another theme has other colours.
document.getElementById("main").addEventListener("updated", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
new MutationObserver(soon).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
