# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 twice, in Moru's text form: on floats and on levels, layer by layer the same. Weights are all one number: what they are changes
no time, but for those at which floats become denormal."""

import math

# Expansion, channels, repeats, stride: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Network:
    """Lines of the text form; `levels` says of which of the two."""

    def __init__(self, levels):
        self.levels = levels
        self.lines = []
        self.count = 0
        dtype = "int8" if levels else "float32"
        self.lines += ["opset 13", f"input x: {dtype}[1, 3, 224, 224]"]
        if levels:
            self.lines += ["init zero = int8[] {0}", "init third = float32[] {0.33}"]
        else:
            self.lines += ["init zero = float32[] {0}", "init six = float32[] {6}"]

    def add(self, text):
        self.count += 1
        self.lines.append(f"v{self.count} = {text}")
        return f"v{self.count}"

    def weights(self, dims):
        self.count += 1
        dtype = "int8" if self.levels else "float32"
        self.lines.append(f"init w{self.count} = {dtype}[{', '.join(map(str, dims))}] {{{', '.join(['1'] * math.prod(dims))}}}")
        return f"w{self.count}"

    def conv(self, x, inputs, outputs, kernel=1, stride=1, group=1, relu6=True):
        w = self.weights([outputs, inputs // group, kernel, kernel])
        pad = kernel // 2
        window = f"strides = [{stride}, {stride}], pads = [{pad}, {pad}, {pad}, {pad}], group = {group}"
        if not self.levels:
            y = self.add(f"Conv({x}, {w}) {{{window}}}")
            return self.add(f"Clip({y}, zero, six)") if relu6 else y
        factor = f"f{self.count}"
        self.lines.append(f"init {factor} = float32[] {{{1 / (kernel * kernel * inputs // group):g}}}")
        bounds = ", low = 0" if relu6 else ""
        return self.add(f"moru::QConv({x}, zero, {w}, zero, {factor}, zero) {{{window}{bounds}}}")

    def sum(self, a, b):
        return self.add(f"moru::QAdd({a}, zero, third, {b}, zero, third, zero)" if self.levels else f"Add({a}, {b})")

    def mean(self, x):
        return self.add(f"moru::QAveragePool({x}, zero, third, third, zero)" if self.levels else f"GlobalAveragePool({x})")

    def text(self, output):
        body = "\n".join(f"  {line}" for line in [*self.lines, f"output {output}"])
        return f'graph "mobilenet_v2" {{\n{body}\n}}\n'


def mobilenet_v2(levels):
    net = Network(levels)
    x = net.conv("x", 3, 32, kernel=3, stride=2)
    channels = 32
    for expansion, outputs, repeats, first_stride in BLOCKS:
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            inner = channels * expansion
            y = net.conv(x, channels, inner) if expansion > 1 else x
            y = net.conv(y, inner, inner, kernel=3, stride=stride, group=inner)
            y = net.conv(y, inner, outputs, relu6=False)
            x = net.sum(x, y) if stride == 1 and channels == outputs else y
            channels = outputs
    x = net.mean(net.conv(x, channels, 1280))
    return net.text(net.conv(x, 1280, 1000, relu6=False))


def chain(nodes):
    """So many nodes with next to nothing to do; of none, an Identity."""
    lines = ["opset 13", "input x: float32[1, 4]"]
    lines += [f"v{i} = Neg({f'v{i - 1}' if i else 'x'})" for i in range(nodes)] or ["v = Identity(x)"]
    body = "\n".join(f"  {line}" for line in [*lines, f"output v{nodes - 1 if nodes else ''}"])
    return f'graph "chain" {{\n{body}\n}}\n'
