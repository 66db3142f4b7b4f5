// Reads {"graphs": {name: graph}, "charts": {name: specification}} and writes {name: SVG}.
import { readFileSync } from "node:fs";
import { instance } from "@viz-js/viz";
import * as vega from "vega";
import { compile } from "vega-lite";

const { graphs, charts } = JSON.parse(readFileSync(0, "utf-8"));
// Without a screen letters can only be reckoned; Vega reckons with wider ones than there are.
const LETTER = 0.6;
vega.textMetrics.width = (item, text) => Math.ceil(LETTER * String(text).length * (item.fontSize ?? 11));

const graphviz = await instance();
const drawn = {};
for (const [name, graph] of Object.entries(graphs)) {
  drawn[name] = graphviz.renderString(graph, { format: "svg" });
}
for (const [name, specification] of Object.entries(charts)) {
  const view = new vega.View(vega.parse(compile(specification).spec), { renderer: "none" });
  drawn[name] = await view.toSVG();
}
process.stdout.write(JSON.stringify(drawn));
