// yoga-layout (Emscripten with embind): a tree of boxes is laid out, measured by JavaScript.
import Yoga, { Align, Direction, Edge, FlexDirection, Gutter, Wrap } from 'yoga-layout';

const root = Yoga.Node.create();
root.setFlexDirection(FlexDirection.Row);
root.setFlexWrap(Wrap.Wrap);
root.setWidth(500);
root.setPadding(Edge.All, 7);
root.setGap(Gutter.All, 3);
root.setAlignItems(Align.Center);
const children = Array.from({ length: 60 }, (_, i) => {
  const child = Yoga.Node.create();
  child.setMargin(Edge.Left, i % 5);
  child.setMinHeight(10 + (i % 7));
  child.setFlexGrow(i % 3);
  child.setMeasureFunc((width) => ({ width: Math.min(width, 20 + i * 2), height: 12 + (i % 4) }));
  root.insertChild(child, i);
  return child;
});
root.calculateLayout(undefined, undefined, Direction.LTR);
console.log(
  JSON.stringify([root.getComputedLayout(), ...children.map((child) => child.getComputedLayout())]),
);
root.freeRecursive();
