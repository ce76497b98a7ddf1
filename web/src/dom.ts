// SPDX-License-Identifier: Apache-2.0
// Elements are made here and nowhere else: text goes in as text, never as markup.

export type Child = Element | string | null;

/** An element with classes ("td.number.bad"), children, and attributes. */
export function make(selector: string, children: Child[] = [], attributes: Record<string, string> = {}): HTMLElement {
  const [tag = "div", ...classes] = selector.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  fill(element, children, attributes);
  return element;
}

export function makeSvg(tag: string, attributes: Record<string, string> = {}, children: Child[] = []): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, children, attributes);
  return element;
}

function fill(element: Element, children: Child[], attributes: Record<string, string>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element '${id}'`);
  return element;
}

/**
 * Puts `children` into `parent` without touching the parts that are equal already, so that a selection, the focus and
 * the place of a scroll bar survive an update.
 */
export function update(parent: Element, children: Element[]): void {
  children.forEach((child, i) => {
    const old = parent.children[i];
    if (old === undefined) parent.append(child);
    else if (!old.isEqualNode(child)) old.replaceWith(child);
  });
  while (parent.children.length > children.length) parent.lastElementChild?.remove();
}

/** A table: column heads with scope, then rows; a column whose head starts with "#" holds numbers. */
export function updateTable(table: HTMLElement, heads: string[], rows: Element[]): void {
  const head = make("tr", heads.map((text) => (text.startsWith("#") ? make("th.number", [text.slice(1)], { scope: "col" }) : make("th", [text], { scope: "col" }))));
  const body = table.querySelector("tbody") ?? make("tbody");
  update(body, rows);
  if (body.parentElement === null) table.append(make("thead", [head]), body);
}
