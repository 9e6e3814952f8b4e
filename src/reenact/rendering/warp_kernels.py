# SPDX-License-Identifier: Apache-2.0
# type: ignore
"""Warp kernels: one source for CPU and CUDA. (The kernel language only looks like Python: no type checks.)

On the CPU a launch is one plain loop over its threads; on CUDA they run side by side and meet in
`atomic_min`. Arithmetic follows rasterise_torch.py operation by operation, with fused multiply-add switched
off, so that both give the same bits.
"""

import warp as wp

from .fragments import NEAR_M, SNAP_LIMIT, SUBPIXEL_BITS

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

STEPS = wp.constant(float(1 << SUBPIXEL_BITS))
BITS = wp.constant(wp.int64(SUBPIXEL_BITS))
STEP = wp.constant(wp.int64(1 << SUBPIXEL_BITS))
HALF = wp.constant(wp.int64(1 << (SUBPIXEL_BITS - 1)))
LIMIT = wp.constant(SNAP_LIMIT)
NEAR = wp.constant(NEAR_M)
ZERO = wp.constant(wp.int64(0))
ONE = wp.constant(wp.int64(1))
MINUS_ONE = wp.constant(wp.int64(-1))
WORD = wp.constant(wp.int64(32))
LOW_WORD = wp.constant(wp.int64(2**32 - 1))

NOTHING = 2**63 - 1
"""Key of an empty pixel. A key is the depth's bits, above, and the face's index, below: the least key is the
nearest face, because positive floats sort like their bits, and of equals the first face."""
EMPTY_KEY = wp.constant(wp.int64(NOTHING))


@wp.func
def snap(value: wp.float32) -> wp.int64:
    return wp.int64(wp.clamp(wp.rint(value * STEPS), -LIMIT, LIMIT))


@wp.func
def edge_bias(dx: wp.int64, dy: wp.int64) -> wp.int64:
    """0 for a top or left edge, which owns the centres on it; else -1."""
    if dy < ZERO or (dy == ZERO and dx > ZERO):
        return ZERO
    return MINUS_ONE


@wp.kernel
def draw_triangles(
    vertices: wp.array2d[wp.vec3],
    faces: wp.array2d[wp.int32],
    cull_back: wp.int32,
    keys: wp.array3d[wp.int64],
):
    """Lower the keys [B, H, W] under triangle f of image b."""
    b, f = wp.tid()
    v0 = vertices[b, faces[f, 0]]
    v1 = vertices[b, faces[f, 1]]
    v2 = vertices[b, faces[f, 2]]
    if not (v0[2] > NEAR and v1[2] > NEAR and v2[2] > NEAR):
        return
    if not (wp.isfinite(v0) and wp.isfinite(v1) and wp.isfinite(v2)):
        return
    x0, y0 = snap(v0[0]), snap(v0[1])
    x1, y1 = snap(v1[0]), snap(v1[1])
    x2, y2 = snap(v2[0]), snap(v2[1])

    area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
    if area == ZERO or (cull_back != 0 and area > ZERO):
        return
    sign = wp.where(area > ZERO, ONE, MINUS_ONE)
    left = wp.max((wp.min(wp.min(x0, x1), x2) + HALF - ONE) >> BITS, ZERO)
    right = wp.min((wp.max(wp.max(x0, x1), x2) - HALF) >> BITS, wp.int64(keys.shape[2] - 1))
    top = wp.max((wp.min(wp.min(y0, y1), y2) + HALF - ONE) >> BITS, ZERO)
    bottom = wp.min((wp.max(wp.max(y0, y1), y2) - HALF) >> BITS, wp.int64(keys.shape[1] - 1))
    if right < left or bottom < top:
        return

    dx0, dy0 = sign * (x2 - x1), sign * (y2 - y1)
    dx1, dy1 = sign * (x0 - x2), sign * (y0 - y2)
    dx2, dy2 = sign * (x1 - x0), sign * (y1 - y0)
    bias0, bias1, bias2 = edge_bias(dx0, dy0), edge_bias(dx1, dy1), edge_bias(dx2, dy2)
    px = left * STEP + HALF
    py = top * STEP + HALF
    row0 = dx0 * (py - y1) - dy0 * (px - x1) + bias0
    row1 = dx1 * (py - y2) - dy1 * (px - x2) + bias1
    row2 = dx2 * (py - y0) - dy2 * (px - x0) + bias2
    r0, r1, r2 = 1.0 / v0[2], 1.0 / v1[2], 1.0 / v2[2]

    for row in range(wp.int32(top), wp.int32(bottom) + 1):
        # One name a line: tuple assignment would alias the row's values instead of copying them.
        entered = wp.bool(False)
        e0 = row0
        e1 = row1
        e2 = row2
        for column in range(wp.int32(left), wp.int32(right) + 1):
            if (e0 | e1 | e2) >= ZERO:
                entered = True
                w0, w1, w2 = float(e0 - bias0), float(e1 - bias1), float(e2 - bias2)
                depth = (w0 + w1 + w2) / (w0 * r0 + w1 * r1 + w2 * r2)
                key = (wp.int64(wp.cast(depth, wp.int32)) << WORD) | wp.int64(f)
                wp.atomic_min(keys, b, row, column, key)
            elif entered:
                break  # a row of a triangle is one run
            e0 -= dy0 * STEP
            e1 -= dy1 * STEP
            e2 -= dy2 * STEP
        row0 += dx0 * STEP
        row1 += dx1 * STEP
        row2 += dx2 * STEP


@wp.kernel
def resolve_pixels(
    vertices: wp.array2d[wp.vec3],
    faces: wp.array2d[wp.int32],
    keys: wp.array3d[wp.int64],
    span: wp.int32,
    face: wp.array3d[wp.int32],
    bary: wp.array3d[wp.vec3],
    depth: wp.array3d[wp.float32],
):
    """Turn the winning keys of `span` neighbours in a row into fragments, and empty the keys for the next
    call."""
    b, y, strip = wp.tid()
    py = wp.int64(y) * STEP + HALF
    last = wp.int32(-1)
    slope0, slope1, slope2 = wp.int64(0), wp.int64(0), wp.int64(0)
    start0, start1, start2 = wp.int64(0), wp.int64(0), wp.int64(0)
    r0, r1, r2 = wp.float32(0.0), wp.float32(0.0), wp.float32(0.0)
    for x in range(strip * span, (strip + 1) * span):
        key = keys[b, y, x]
        if key == EMPTY_KEY:
            face[b, y, x] = -1
            bary[b, y, x] = wp.vec3(0.0, 0.0, 0.0)
            depth[b, y, x] = wp.inf
        else:
            keys[b, y, x] = EMPTY_KEY
            f = wp.int32(key & LOW_WORD)
            if f != last:
                v0 = vertices[b, faces[f, 0]]
                v1 = vertices[b, faces[f, 1]]
                v2 = vertices[b, faces[f, 2]]
                x0, y0 = snap(v0[0]), snap(v0[1]) - py
                x1, y1 = snap(v1[0]), snap(v1[1]) - py
                x2, y2 = snap(v2[0]), snap(v2[1]) - py
                slope0, slope1, slope2 = y1 - y2, y2 - y0, y0 - y1
                start0 = x1 * y2 - y1 * x2 + slope0 * HALF
                start1 = x2 * y0 - y2 * x0 + slope1 * HALF
                start2 = x0 * y1 - y0 * x1 + slope2 * HALF
                r0, r1, r2 = 1.0 / v0[2], 1.0 / v1[2], 1.0 / v2[2]
                last = f
            px = wp.int64(x) * STEP
            w0 = float(start0 + slope0 * px) * r0
            w1 = float(start1 + slope1 * px) * r1
            w2 = float(start2 + slope2 * px) * r2
            total = w0 + w1 + w2
            face[b, y, x] = f
            bary[b, y, x] = wp.vec3(w0 / total, w1 / total, w2 / total)
            depth[b, y, x] = wp.cast(wp.int32(key >> WORD), wp.float32)


@wp.kernel
def interpolate_attributes(
    attributes: wp.array3d[wp.float32],
    faces: wp.array2d[wp.int32],
    face: wp.array3d[wp.int32],
    bary: wp.array3d[wp.vec3],
    span: wp.int32,
    picture: wp.array4d[wp.float32],
):
    """Mix the attributes of the corners for `span` neighbours in a row; attributes are [B or 1, V, C]."""
    b, y, strip = wp.tid()
    source = wp.min(b, attributes.shape[0] - 1)
    channels = attributes.shape[2]
    for x in range(strip * span, (strip + 1) * span):
        f = face[b, y, x]
        if f < 0:
            for channel in range(channels):
                picture[b, y, x, channel] = 0.0
        else:
            w = bary[b, y, x]
            i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
            for channel in range(channels):
                a0 = attributes[source, i0, channel]
                a1 = attributes[source, i1, channel]
                a2 = attributes[source, i2, channel]
                picture[b, y, x, channel] = a0 * w[0] + a1 * w[1] + a2 * w[2]


@wp.kernel
def interpolate_directions(
    directions: wp.array2d[wp.vec3],
    faces: wp.array2d[wp.int32],
    face: wp.array3d[wp.int32],
    bary: wp.array3d[wp.vec3],
    span: wp.int32,
    picture: wp.array3d[wp.vec3],
):
    """As interpolate_attributes, for vectors [B or 1, V], and brought to unit length."""
    b, y, strip = wp.tid()
    source = wp.min(b, directions.shape[0] - 1)
    for x in range(strip * span, (strip + 1) * span):
        f = face[b, y, x]
        if f < 0:
            picture[b, y, x] = wp.vec3(0.0, 0.0, 0.0)
        else:
            w = bary[b, y, x]
            d0 = directions[source, faces[f, 0]] * w[0]
            d1 = directions[source, faces[f, 1]] * w[1]
            d2 = directions[source, faces[f, 2]] * w[2]
            picture[b, y, x] = wp.normalize(d0 + d1 + d2)


@wp.kernel
def look_up_labels(
    labels: wp.array[wp.uint8],
    empty: wp.uint8,
    face: wp.array3d[wp.int32],
    span: wp.int32,
    picture: wp.array3d[wp.uint8],
):
    """The label of each pixel's face, for `span` neighbours in a row."""
    b, y, strip = wp.tid()
    for x in range(strip * span, (strip + 1) * span):
        f = face[b, y, x]
        if f < 0:
            picture[b, y, x] = empty
        else:
            picture[b, y, x] = labels[f]


@wp.kernel
def add_face_normals(
    vertices: wp.array2d[wp.vec3],
    faces: wp.array2d[wp.int32],
    normals: wp.array2d[wp.vec3],
):
    """Add the normal of face f, twice its area long, to its three vertices."""
    b, f = wp.tid()
    i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
    v0 = vertices[b, i0]
    normal = wp.cross(vertices[b, i1] - v0, vertices[b, i2] - v0)
    wp.atomic_add(normals, b, i0, normal)
    wp.atomic_add(normals, b, i1, normal)
    wp.atomic_add(normals, b, i2, normal)
