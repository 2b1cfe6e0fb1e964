# SPDX-License-Identifier: Apache-2.0
"""Small networks in ONNX, written as the protocol buffers they are: enough of onnx.proto for a
graph of nodes with weights."""

import struct

FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, sides, values, kind=FLOAT):
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    return (b"".join(number(1, side) for side in sides) + number(2, kind) + data(8, name) +
            data(9, raw))


def attribute(name, value):
    if isinstance(value, int):
        return data(1, name) + number(3, value) + number(20, 2)
    return data(1, name) + b"".join(number(8, one) for one in value) + number(20, 7)


def node(operator, inputs, outputs, **attributes):
    return (b"".join(data(1, name) for name in inputs) +
            b"".join(data(2, name) for name in outputs) + data(4, operator) +
            b"".join(data(5, attribute(name, value)) for name, value in attributes.items()))


def value(name, sides, kind=FLOAT):
    shape = b"".join(data(1, number(1, side)) for side in sides)
    return data(1, name) + data(2, data(1, number(1, kind) + data(2, shape)))


def model(nodes, weights, inputs, outputs):
    graph = (b"".join(data(1, one) for one in nodes) + data(2, "trial") +
             b"".join(data(5, one) for one in weights) +
             b"".join(data(11, one) for one in inputs) + b"".join(data(12, one) for one in outputs))
    return number(1, 8) + data(7, graph) + data(8, number(2, 13))


def classifier():
    """Is the image red or blue? Logits of 10 times the mean of its channels, of N C H W."""
    weights = [tensor("w", [3, 2], [10, 0, 0, 0, 0, 10]), tensor("b", [2], [0, 0])]
    nodes = [node("GlobalAveragePool", ["image"], ["pooled"]),
             node("Flatten", ["pooled"], ["flat"], axis=1),
             node("Gemm", ["flat", "w", "b"], ["logits"])]
    return model(nodes, weights, [value("image", [1, 3, 8, 8])], [value("logits", [1, 2])])


def boxes():
    """Corners of the 16 cells of 8 px of a 32 x 32 image: y, x, y, x, 0 to 1."""
    return [side / 4 for i in range(16) for side in (i // 4, i % 4, i // 4 + 1, i % 4 + 1)]


def ssd():
    """A cell's score is how bright it is; its class whether it stands in the upper half (0)."""
    labels = [int(i >= 8) for i in range(16)]
    weights = [tensor("w", [1, 1, 8, 8], [1 / 64] * 64), tensor("flat", [2], [1, 16], INT64),
               tensor("all boxes", [1, 16, 4], boxes()), tensor("all labels", [1, 16], labels, INT64)]
    nodes = [node("Conv", ["image", "w"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
             node("Reshape", ["cells", "flat"], ["scores"]),
             node("Identity", ["all boxes"], ["boxes"]),
             node("Identity", ["all labels"], ["labels"])]
    return model(nodes, weights, [value("image", [1, 1, 32, 32])],
                 [value("boxes", [1, 16, 4]), value("labels", [1, 16], INT64),
                  value("scores", [1, 16])])


def yolo():
    """The same as one answer of numbers by places, for two classes alike but for a half."""
    centres = [[8 * (i % 4) + 4 for i in range(16)], [8 * (i // 4) + 4 for i in range(16)],
               [8] * 16, [8] * 16]
    upper = [float(i < 8) for i in range(16)]
    weights = [tensor("w", [1, 1, 8, 8], [1 / 64] * 64), tensor("row", [3], [1, 1, 16], INT64),
               tensor("cells at", [1, 4, 16], [float(n) for row in centres for n in row]),
               tensor("upper", [1, 1, 16], upper),
               tensor("lower", [1, 1, 16], [1 - n for n in upper])]
    nodes = [node("Conv", ["image", "w"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
             node("Reshape", ["cells", "row"], ["scores"]),
             node("Mul", ["scores", "upper"], ["first"]),
             node("Mul", ["scores", "lower"], ["second"]),
             node("Concat", ["cells at", "first", "second"], ["places"], axis=1)]
    return model(nodes, weights, [value("image", [1, 1, 32, 32])], [value("places", [1, 6, 16])])


def slow():
    """The classifier behind many layers that change nothing and take their time."""
    size, channels, layers = 128, 16, 30
    same = [float(o == i and at == 4) for o in range(channels) for i in range(channels)
            for at in range(9)]
    weights = [tensor("wide", [channels, 3, 1, 1], [float(o % 3 == i) for o in range(channels)
                                                    for i in range(3)]),
               tensor("same", [channels, channels, 3, 3], same),
               tensor("w", [channels, 2], [10 * float(o == c) for o in range(channels)
                                           for c in (0, 2)]), tensor("b", [2], [0, 0])]
    nodes = [node("Conv", ["image", "wide"], ["0"], kernel_shape=[1, 1])]
    nodes += [node("Conv", [str(i), "same"], [str(i + 1)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
              for i in range(layers)]
    nodes += [node("GlobalAveragePool", [str(layers)], ["pooled"]),
              node("Flatten", ["pooled"], ["flat"], axis=1),
              node("Gemm", ["flat", "w", "b"], ["logits"])]
    return model(nodes, weights, [value("image", [1, 3, size, size])], [value("logits", [1, 2])])
