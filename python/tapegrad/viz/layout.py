"""A layered drawing: longest paths give the layers, barycentres the order within them, least squares the places.

Long edges run through dummy nodes of their own, one in each layer they cross, so that they bend around boxes. A leaf is drawn once
in front of every layer that reads it: weights shared by a thousand steps draw no thousand long lines.
"""

GAP, ROW = 18.0, 84.0  # between boxes of a layer, and between layers
SWEEPS = 3
LONGEST = 40           # an edge across more layers is drawn straight
LEAF = 0.02            # how much leaves pull at the steps beside them


class Box:
    __slots__ = ("x", "y", "width", "layer", "weight", "before", "after")

    def __init__(self, layer, width, weight=1.0):
        self.x, self.y, self.layer, self.width, self.weight = 0.0, layer * ROW, layer, width, weight
        self.before, self.after = [], []


class Layout:
    """boxes: of cells, in their order, then of leaves' drawings; drawn: the leaf of each of these; paths: the points of each edge. The
    page does the same in page_layout.js."""

    def __init__(self, cells, widths, leaf_widths):
        depth = []
        for c in cells:
            depth.append(1 + max((depth[i.index] for i in c.inputs if i.kind == "step"), default=0))
        self.boxes = [Box(*at) for at in zip(depth, widths)]
        self.drawn, links, copies = [], [], {}
        for k, c in enumerate(cells):
            for i in c.inputs:
                source = i.index
                if i.kind == "leaf":
                    at = (i.index, depth[k])
                    if at not in copies:
                        copies[at] = len(self.boxes)
                        self.boxes.append(Box(depth[k] - 1, leaf_widths[i.index], LEAF))
                        self.drawn.append(i.index)
                    source = copies[at]
                links.append((source, k))
        if not cells:
            self.boxes.append(Box(0, leaf_widths[0]))
            self.drawn.append(0)
        first = min(b.layer for b in self.boxes)
        for b in self.boxes:
            b.layer -= first
            b.y = b.layer * ROW
        self._place(links)

    def frame(self, numbers):
        """(left, top, right, bottom) of the boxes of these cells and of the leaves that they read, but for those above all of them."""
        held = [self.boxes[k] for k in numbers]
        first = min(b.layer for b in held)
        held += [b for box in held for b in box.before if b.weight == LEAF and b.layer >= first]
        return (min(b.x - b.width / 2 for b in held), min(b.y for b in held), max(b.x + b.width / 2 for b in held), max(b.y for b in held))

    def _place(self, links):
        everything, paths = list(self.boxes), []
        for source, target in links:
            a, b = self.boxes[source], self.boxes[target]
            path = [a]
            if b.layer - a.layer <= LONGEST:
                path += [Box(layer, 12.0) for layer in range(a.layer + 1, b.layer)]
            everything += path[1:]
            path.append(b)
            for first, second in zip(path, path[1:]):
                first.after.append(second)
                second.before.append(first)
            paths.append(path)
        layers = [[] for _ in range(1 + max(b.layer for b in everything))]
        for b in everything:
            layers[b.layer].append(b)
        for layer in layers:
            _spread(layer, [0.0] * len(layer))
        for _ in range(SWEEPS):
            for layer in layers:
                _order(layer, "before")
            for layer in reversed(layers):
                _order(layer, "after")
        for layer in layers:
            _spread(layer, [_mean(b.before + b.after, b.x) for b in layer])
        left = min(b.x - b.width / 2 for b in everything)
        for b in everything:
            b.x -= left
        self.width = max(b.x + b.width / 2 for b in everything)
        self.height = max(b.y for b in everything) + ROW
        self.paths = [[(b.x, b.y) for b in path] for path in paths]


def _mean(boxes, otherwise):
    if len(boxes) == 1:
        return boxes[0].x
    weight = sum(b.weight for b in boxes)
    return sum(b.x * b.weight for b in boxes) / weight if boxes else otherwise


def _order(layer, side):
    if len(layer) == 1:
        layer[0].x = _mean(getattr(layer[0], side), layer[0].x)
        return
    wish = {id(b): _mean(getattr(b, side) or b.after, b.x) for b in layer}  # leaves look at their readers, always
    layer.sort(key=lambda b: wish[id(b)])
    _spread(layer, [wish[id(b)] for b in layer])


def _spread(layer, wishes):
    """Puts the boxes of a layer as near to their wishes as their order and widths allow: neighbours that would overlap become one block,
    which stands at the mean of its members' wishes by weight."""
    blocks = []  # weighted sum of (wish - offset), weight, members
    offsets, at = [], 0.0
    for b in layer:
        offsets.append(at + b.width / 2)
        at += b.width + GAP
    for b, wish, offset in zip(layer, wishes, offsets):
        total, weight, members = (wish - offset) * b.weight, b.weight, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / weight:
            before = blocks.pop()
            total, weight, members = total + before[0], weight + before[1], members + before[2]
        blocks.append((total, weight, members))
    k = 0
    for total, weight, members in blocks:
        for _ in range(members):
            layer[k].x = total / weight + offsets[k]
            k += 1
