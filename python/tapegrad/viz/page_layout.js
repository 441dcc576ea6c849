// A layered drawing, as layout.py does it: longest paths give the layers, barycentres the order within them, least squares the places.
// Boxes have a layer, a width w and a weight; edges a from and a to. They get x, y and points; the answer is the size of it all.
const GAP = 18, ROW = 84, SWEEPS = 3, LONGEST = 40, LEAF = .02;

function mean(list, otherwise) {
  if (!list.length) return otherwise;
  let sum = 0, weight = 0;
  for (const b of list) { sum += b.x * b.weight; weight += b.weight; }
  return sum / weight;
}

// Puts the boxes of a layer as near to their wishes as their order and widths allow: neighbours that would overlap become one block,
// which stands at the mean of its members' wishes by weight.
function spread(layer, wishes) {
  const blocks = [], offsets = [];
  let at = 0;
  layer.forEach((b, k) => {
    offsets.push(at + b.w / 2);
    at += b.w + GAP;
    let block = { total: (wishes[k] - offsets[k]) * b.weight, weight: b.weight, members: 1 };
    for (let last; (last = blocks[blocks.length - 1]) && last.total / last.weight > block.total / block.weight; blocks.pop())
      block = { total: block.total + last.total, weight: block.weight + last.weight, members: block.members + last.members };
    blocks.push(block);
  });
  let k = 0;
  for (const block of blocks) for (let n = 0; n < block.members; n++, k++) layer[k].x = block.total / block.weight + offsets[k];
}

function order(layer, side) {
  for (const b of layer) b.wish = mean(b[side].length ? b[side] : b.after, b.x);  // leaves look at their readers, always
  layer.sort((a, b) => a.wish - b.wish);
  spread(layer, layer.map(b => b.wish));
}

function place(boxes, edges) {
  const all = boxes.slice(), first = boxes.reduce((least, b) => Math.min(least, b.layer), Infinity), layers = [];
  for (const b of boxes) { b.layer -= first; b.x = 0; b.before = []; b.after = []; }
  for (const e of edges) {
    e.path = [e.from];
    if (e.to.layer - e.from.layer <= LONGEST) for (let layer = e.from.layer + 1; layer < e.to.layer; layer++) {  // it bends around boxes
      const bend = { layer, w: 12, weight: 1, x: 0, before: [], after: [] };
      e.path.push(bend);
      all.push(bend);
    }
    e.path.push(e.to);
    for (let k = 1; k < e.path.length; k++) { e.path[k - 1].after.push(e.path[k]); e.path[k].before.push(e.path[k - 1]); }
  }
  for (const b of all) {
    while (layers.length <= b.layer) layers.push([]);
    layers[b.layer].push(b);
  }
  for (const layer of layers) spread(layer, layer.map(() => 0));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of layers) order(layer, "before");
    for (let k = layers.length; k--;) order(layers[k], "after");
  }
  for (const layer of layers) spread(layer, layer.map(b => mean(b.before.concat(b.after), b.x)));
  let left = Infinity, right = 0;
  for (const b of all) left = Math.min(left, b.x - b.w / 2);
  for (const b of all) { b.x -= left; b.y = (b.layer + .5) * ROW; right = Math.max(right, b.x + b.w / 2); }
  for (const e of edges) { e.points = e.path.flatMap(b => [b.x, b.y]); delete e.path; }
  return { width: right, height: layers.length * ROW };
}
