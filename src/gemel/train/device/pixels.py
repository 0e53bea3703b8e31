"""Pixels to the array of a prepared image, in ONNX.

What is grey, the colour of the border, size, square and normalising are as `encode.image.prepare`
has them, to the last pixel.
"""

from __future__ import annotations

from gemel.encode.image.prepare import ARRAY, ImagePrepare
from gemel.train.device import graph as graphs
from gemel.train.device.graph import Graph

GREY = """
    weights = Constant<value = int64[3] {19595, 38470, 7471}>()
    half = Constant<value = int64[1] {32768}>()
    unit = Constant<value = int64[1] {65536}>()
    whole = Cast<to = 7>(pixels)
    weighted = Mul(whole, weights)
    summed = ReduceSum<keepdims = 1>(weighted, two)
    rounded = Add(summed, half)
    luma = Div(rounded, unit)
    seen = Cast<to = 2>(luma)
"""
"""Pillow's luma, in the same whole numbers."""
COLOUR = """
    seen = Identity(pixels)
"""
PASS = """
    AXISnumber = Constant<value = int64[1] {PLACE}>()
    AXISin = Gather(exact, AXISnumber)
    AXISout = Gather(enough, AXISnumber)
    AXISscale = Div(AXISin, AXISout)
    AXISwide = Max(AXISscale, least)
    AXISnarrow = Div(least, AXISwide)
    AXISsupport = Add(AXISwide, AXISwide)
    AXISin0 = Squeeze(AXISin)
    AXISout0 = Squeeze(AXISout)
    AXISto = Range(zero64, AXISout0, one64)
    AXISto_half = Add(AXISto, half64)
    AXIScentres = Mul(AXISto_half, AXISscale)
    AXIScentre = Unsqueeze(AXIScentres, one)
    AXISbegin = Sub(AXIScentre, AXISsupport)
    AXISbegin_half = Add(AXISbegin, half64)
    AXISfirst_int = Cast<to = 7>(AXISbegin_half)
    AXISfirst = Cast<to = 11>(AXISfirst_int)
    AXISend = Add(AXIScentre, AXISsupport)
    AXISend_half = Add(AXISend, half64)
    AXISlast_int = Cast<to = 7>(AXISend_half)
    AXISlast = Cast<to = 11>(AXISlast_int)
    AXISat = Range(zero64, AXISin0, one64)
    AXISbehind = GreaterOrEqual(AXISat, AXISfirst)
    AXISbefore = Less(AXISat, AXISlast)
    AXISinside = And(AXISbehind, AXISbefore)
    AXISaway = Sub(AXISat, AXIScentre)
    AXISaway_half = Add(AXISaway, half64)
    AXISscaled = Mul(AXISaway_half, AXISnarrow)
    AXISx = Abs(AXISscaled)
    AXISx2 = Mul(AXISx, AXISx)
    AXISn1 = Mul(AXISx, c15)
    AXISn2 = Sub(AXISn1, c25)
    AXISn3 = Mul(AXISn2, AXISx2)
    AXISnear = Add(AXISn3, one64)
    AXISf1 = Sub(AXISx, c5)
    AXISf2 = Mul(AXISf1, AXISx)
    AXISf3 = Add(AXISf2, c8)
    AXISf4 = Mul(AXISf3, AXISx)
    AXISf5 = Sub(AXISf4, c4)
    AXISfar = Mul(AXISf5, c_half)
    AXISis_near = Less(AXISx, one64)
    AXISis_far = Less(AXISx, c2)
    AXISouter = Where(AXISis_far, AXISfar, zero64)
    AXIScubic = Where(AXISis_near, AXISnear, AXISouter)
    AXISraw = Where(AXISinside, AXIScubic, zero64)
    AXIStotal = ReduceSum<keepdims = 1>(AXISraw, one)
    AXISshare = Div(AXISraw, AXIStotal)
    AXISfine = Mul(AXISshare, precision)
    AXISsign = Sign(AXISfine)
    AXISup = Mul(AXISsign, half64)
    AXISrounded = Add(AXISfine, AXISup)
    AXISfixed_int = Cast<to = 7>(AXISrounded)
    AXISweights = Cast<to = 11>(AXISfixed_int)
"""
"""Pillow's bicubic weights of one axis as a matrix (out, in), in its fixed point of 22 bits."""
RESIZED = """
    half64 = Constant<value = double {0.5}>()
    c15 = Constant<value = double {1.5}>()
    c25 = Constant<value = double {2.5}>()
    c2 = Constant<value = double {2.0}>()
    c4 = Constant<value = double {4.0}>()
    c5 = Constant<value = double {5.0}>()
    c8 = Constant<value = double {8.0}>()
    c_half = Constant<value = double {-0.5}>()
    c255 = Constant<value = double {255.0}>()
    precision = Constant<value = double {4194304.0}>()
    half_precision = Constant<value = double {2097152.0}>()
    PASSES
    x_turned = Transpose<perm = [1, 0]>(x_weights)
    wide_sums = MatMul(pixels64, x_turned)
    WIDE
    wide_tall_sums = MatMul(y_weights, wide)
    WIDE_TALL
    tall_sums = MatMul(y_weights, pixels64)
    TALL
    tall_wide_sums = MatMul(tall, x_turned)
    TALL_WIDE
    twice = Mul(x_in, c2)
    is_tall = Greater(y_in, twice)
    is_smaller = Less(y_out, y_in)
    tall_first = And(is_tall, is_smaller)
    small = Where(tall_first, tall_wide, wide_tall)
"""
"""Both passes, of a tall image its columns first; sums of whole numbers in float64 are exact."""
WHOLE = """
    NAME_up = Add(NAME_sums, half_precision)
    NAME_scaled = Div(NAME_up, precision)
    NAME_floor = Floor(NAME_scaled)
    NAME = Clip(NAME_floor, zero64, c255)
"""
"""Sums in fixed point as whole numbers of 8 bits."""
SQUARE = """
    planes = Transpose<perm = [2, 0, 1]>(seen)
    minus = Constant<value = int64[1] {-1}>()
    values = Cast<to = 1>(planes)
    top = Slice(values, zero, one, one)
    end = Constant<value = int64[1] {9223372036854775807}>()
    bottom = Slice(values, minus, end, one)
    left = Slice(values, zero, one, two)
    right = Slice(values, minus, end, two)
    channels = Constant<value = int64[2] {CHANNELS, -1}>()
    top2 = Reshape(top, channels)
    bottom2 = Reshape(bottom, channels)
    left2 = Reshape(left, channels)
    right2 = Reshape(right, channels)
    edges = Concat<axis = 1>(top2, bottom2, left2, right2)
    mean = ReduceMean<keepdims = 1>(edges, one)
    round_mean = Round(mean)
    as_border = Constant<value = int64[3] {CHANNELS, 1, 1}>()
    border = Reshape(round_mean, as_border)
    shape = Shape(planes)
    to = Constant<value = int64[1] {3}>()
    sides = Slice(shape, one, to)
    exact = Cast<to = 11>(sides)
    longest = ReduceMax<keepdims = 1>(exact)
    size = Constant<value = double[1] {SIZE.0}>()
    times = Mul(exact, size)
    scaled = Div(times, longest)
    near = Round(scaled)
    least = Constant<value = double[1] {1.0}>()
    enough = Max(near, least)
    new_sides = Cast<to = 7>(enough)
    pixels64 = Cast<to = 11>(planes)
    RESIZED
    small32 = Cast<to = 1>(small)
    around = Sub(small32, border)
    side = Constant<value = int64[1] {SIZE}>()
    room = Sub(side, new_sides)
    before = Div(room, two)
    after = Sub(room, before)
    pads = Concat<axis = 0>(zero, before, zero, after)
    padded = Pad(around, pads)
    square = Add(padded, border)
    normal = Mul(square, scale)
    centred = Sub(normal, shift)
    whole_shape = Constant<value = int64[4] {1, CHANNELS, SIZE, SIZE}>()
    image = Reshape(centred, whole_shape)
"""


def graph(prepare: ImagePrepare) -> Graph:
    """`pixels` (height, width, 3) uint8 to the array of one image."""
    head = f"(uint8[height, width, 3] pixels) => (float[1, CHANNELS, SIZE, SIZE] {ARRAY})"
    body = f"{GREY if prepare.channels == 1 else COLOUR}{SQUARE}"
    passes = [PASS.replace("AXIS", f"{n}_").replace("PLACE", str(i)) for i, n in enumerate("yx")]
    words: dict[str, object] = {"RESIZED": RESIZED, "PASSES": "".join(passes)}
    for name in ("wide", "wide_tall", "tall", "tall_wide"):
        words[f"    {name.upper()}\n"] = WHOLE.replace("NAME", name)
    words |= {"CHANNELS": prepare.channels, "SIZE": prepare.size}
    scale, shift = prepare.normalising
    return graphs.graph(head, body, words, "pixels", {"scale": scale, "shift": shift})
