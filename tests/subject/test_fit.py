# SPDX-License-Identifier: Apache-2.0
"""The joint fit: finds offsets that are really there, where they may be, and leaves alone what it cannot know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reenact.head.arkit import index
from reenact.head.head_model import head_model, personalised
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EMPTY, REGIONS, in_regions, region_ids
from reenact.head.shape import eyeball_vertices
from reenact.head.state import deformed
from reenact.head.subject import Subject
from reenact.perception.dense.network import CLASSES
from reenact.rendering import (
    Camera,
    PixelInterpolation,
    VertexNormals,
    face_labels,
    rasterise,
    render_head_maps,
    vertex_normals,
)
from reenact.subject.energy import Energy, Weights, never_at_rest, project, regularity
from reenact.subject.fit import Stage, fit_stages
from reenact.subject.observation import Observation
from reenact.subject.offsets import Identity, Offsets, Posed, Spread, Static, small_rotation

HEAD = open_head()
TOP = HEAD.topology
LEVELS = open_levels()
SIDE = 128
CAMERA = Camera(SIDE * 2.4, SIDE / 2, SIDE / 2, SIDE, SIDE)
MEAN = Identity.of(Subject(HEAD, torch.zeros(HEAD.identity_size), CAMERA, torch.zeros(478, 3)))
CHEEK = 205  # landmark below the subject's right eye, beside the nose


def frames() -> Motion:
    """Three views of a face, smiling in the last."""
    out = []
    for yaw, smile in ((-0.4, 0.0), (0.0, 0.0), (0.4, 0.6)):
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.diag([1.0, -1.0, -1.0])
        codes = np.zeros(52, np.float32)
        codes[[index("mouthSmileLeft"), index("mouthSmileRight")]] = smile
        out.append(Motion(codes, np.zeros((2, 2)), turn, [0, 0, 0.9]))
    return Motion.joined(out)


def bump() -> np.ndarray:
    """[V, 3] a cheek 4 mm fuller, on the subject's right side only."""
    base = HEAD.base_neutral
    at = TOP.at_landmarks(base)[CHEEK]
    near = torch.exp(-((base - at) ** 2).sum(1) / (2 * 0.018**2)) * (LEVELS[0].soft > 0)
    return (0.004 * near[:, None] * vertex_normals(base, TOP.faces, "torch")).numpy()


def seen(offset: np.ndarray, motion: Motion | None = None) -> Observation:
    """What a perfect estimator says of a head with an offset, which the tracked shape lacks."""
    head = personalised(HEAD, torch.zeros(HEAD.identity_size))
    states = frames() if motion is None else motion
    shape = deformed(head, states)
    turn, shift = states.rotation, states.translation
    camera = torch.tensor([[SIDE * 2.4, SIDE / 2, SIDE / 2]]).repeat(len(states), 1)
    control = (shape + torch.from_numpy(offset)) @ turn.transpose(1, 2) + shift[:, None]
    fine, faces = LEVELS[1].upsample(control), LEVELS[1].faces
    hidden = head.inner_lips.hidden_depth(shape)
    px = project(fine, camera)
    px[..., 2:] += LEVELS[1].upsample(hidden[..., None])
    drawn = rasterise(px, faces, SIDE, SIDE, cull_back=True)
    pixels = PixelInterpolation(faces, drawn, fine.shape[1])
    shown = face_labels(LEVELS[1].regions, EMPTY, drawn)
    table = torch.zeros(256, dtype=torch.uint8)
    for i, name in enumerate(REGIONS):
        table[i] = CLASSES.index({"lips": "lips", "sclera": "eyes", "iris": "eyes"}.get(name, "skin"))
    points = TOP.at_landmarks(control)
    relief = torch.where(drawn.face >= 0, drawn.depth - 0.9, torch.nan) * 2.4 / 0.9
    return Observation(
        expression=states.expression,
        gaze=states.gaze,
        R_cam_head=turn,
        t_cam_head=shift,
        R_cam_torso=turn,
        t_cam_torso=shift,
        camera=camera,
        landmarks=project(points, camera)[..., :2],
        placement=torch.zeros(478, 3),
        normals=torch.nn.functional.normalize(pixels(VertexNormals(faces, fine.shape[1])(fine)), dim=-1),
        certainty=(drawn.face >= 0).float(),
        depth=relief,
        classes=torch.where(drawn.face >= 0, table[shown.long()], 0).to(torch.uint8),
        outline=torch.zeros(len(states), SIDE, SIDE),
        loose=torch.zeros(len(states), SIDE, SIDE),
    )


EVEN = (torch.ones(()), torch.ones(()))  # static offsets cost the same everywhere
STAGE = Stage(("static_coarse",), 40, 3, 4e-4, Weights(outline=0.0, landmark=0.1, magnitude=0.3, bend=1.5))


@pytest.fixture(scope="module")
def observation() -> Observation:
    return seen(bump())


@pytest.fixture(scope="module")
def fitted(observation: Observation) -> Offsets:
    offsets = Offsets(3, 1.0, MEAN)
    fit_stages(offsets, observation, [STAGE], lambda *said: None)
    return offsets


def test_a_fuller_cheek_is_found_on_its_side(fitted: Offsets) -> None:
    found, true = fitted.static().control.detach().numpy(), bump()
    cheek = np.linalg.norm(true, axis=1) > 0.002
    error = np.linalg.norm(found - true, axis=1)
    assert error[cheek].mean() < 0.5 * np.linalg.norm(true[cheek], axis=1).mean()
    # Against the other cheek, since all of a head may shift a little where depth is known only up to a shift.
    normals = vertex_normals(HEAD.base_neutral, TOP.faces, "torch").numpy()
    out, true_out = ((x * normals).sum(1) for x in (found, true))
    fuller = out[cheek].mean() - out[TOP.mirror[cheek]].mean()
    assert 0.7 < fuller / (true_out[cheek].mean() - true_out[TOP.mirror[cheek]].mean()) < 1.2


def test_the_fit_draws_the_inside_of_an_open_mouth_where_the_generator_does() -> None:
    """Regions of the mesh under the pixels, by the fit and as head maps, which both render the inside deeper."""
    codes = np.zeros(52, np.float32)
    codes[[index("jawOpen"), index("mouthFunnel")]] = 0.6, 1.0
    motion = Motion(codes, np.zeros((2, 2)), np.diag([1.0, -1.0, -1.0]), [0, 0, 0.9])
    observation = seen(np.zeros_like(bump()), motion)
    offsets, level = Offsets(1, 1.0, MEAN), LEVELS[1]
    posed = offsets.posed(observation, torch.arange(1), offsets.static(), offsets.dynamic(torch.arange(1)))
    faces, fine = level.faces, posed.fine.detach()
    teeth = torch.zeros(1, len(level), 1)
    teeth[:, level.faces[in_regions(level.regions, *region_ids("teeth_lower"))]] = 1.0

    def drawn(posed: Posed) -> torch.Tensor:
        fragments = Energy(TOP, level, SIDE).rasterise(posed, observation).fragments
        return PixelInterpolation(faces, fragments, len(level))(teeth)[..., 0] > 0.5

    deeper = 1.0 + level.upsample(posed.hidden_depth[..., None]) / fine[..., 2:]
    focal, cx, cy = observation.camera[0].tolist()
    camera, regions = Camera(focal, cx, cy, SIDE, SIDE), level.regions
    maps = render_head_maps(fine * deeper, faces, camera, regions=regions)
    generators = PixelInterpolation(faces, maps.fragments, len(level))(teeth)[..., 0] > 0.5
    assert generators.sum() < 20
    assert (drawn(posed) ^ generators).sum() <= 2
    # Without, the lower teeth come out through the chin.
    plain = replace(posed, hidden_depth=torch.zeros_like(posed.hidden_depth))
    assert (drawn(plain) ^ generators).sum() > 10


def test_nothing_is_found_where_nothing_is(observation: Observation) -> None:
    offsets = Offsets(3, 1.0, MEAN)
    fit_stages(offsets, seen(np.zeros_like(bump())), [STAGE], lambda *said: None)
    found = offsets.static().control.detach()
    assert found.norm(dim=1).max() < 0.0008
    assert found[np.linalg.norm(bump(), axis=1) > 0.002].norm(dim=1).mean() < 0.0003


def test_rigid_parts_keep_their_shape(fitted: Offsets) -> None:
    static = fitted.static().control.detach().numpy()
    mouth = TOP.region_vertices(*region_ids("teeth_upper", "teeth_lower", "tongue"))
    for part in (mouth, *eyeball_vertices(TOP, HEAD.base_neutral)):
        assert np.ptp(static[part], axis=0).max() < 1e-8
        assert np.abs(static[part]).max() > 1e-6  # they go along with the skin about them
    assert np.abs(static).max() > 0.001
    fitted.dynamic_field.data.normal_()
    moving = fitted.dynamic(torch.arange(3))
    still = TOP.region_vertices(*region_ids("sclera", "iris", "teeth_upper", "teeth_lower", "tongue"))
    ears = TOP.region_vertices(*region_ids("ears"))
    assert moving[:, still].abs().max() == 0
    assert moving[:, ears].norm(dim=-1).median() < 0.05 * moving.norm(dim=-1).max()
    fitted.dynamic_field.data.zero_()


def test_terms_are_least_at_the_truth(observation: Observation) -> None:
    energy, rows = Energy(TOP, LEVELS[1], SIDE), torch.arange(3)
    offsets = Offsets(3, 1.0, MEAN)

    def terms(scale: float) -> dict[str, float]:
        wide = torch.from_numpy(scale * bump())
        static = Static(wide, wide, torch.zeros(len(LEVELS[1]), 3), torch.zeros_like(wide))
        with torch.no_grad():
            posed = offsets.posed(observation, rows, static, offsets.dynamic(rows))
            return {
                k: float(v) for k, v in energy.terms(posed, observation, energy.rasterise(posed, observation)).items()
            }

    nothing, right, twice = terms(0.0), terms(1.0), terms(2.0)
    for name in ("normal", "depth", "landmark"):
        assert right[name] < 0.05 * max(nothing[name], twice[name]) + 1e-3, name
        assert right[name] < nothing[name] and right[name] < twice[name], name


@pytest.mark.slow
def test_another_identity_is_found_within_the_basis() -> None:
    """Who is seen differs from who was tracked in what the basis can say: no offset beyond it is needed."""
    by = torch.zeros(HEAD.identity_size)
    by[torch.from_numpy(np.argsort(-np.square(head_model(HEAD).identity.numpy()).mean((1, 2)))[5:40:6].copy())] = 1.5
    true = MEAN.change(by)
    offsets = Offsets(3, 1.0, MEAN)
    weights = Weights(outline=0.0, identity=0.1)
    fit_stages(offsets, seen(true.numpy()), [Stage(("identity",), 60, 3, 4e-4, weights)], lambda *said: None)
    found = offsets.static()
    assert found.coarse.abs().max() == 0 and found.fine.abs().max() == 0
    face = TOP.face_weight > 0.5
    normals = vertex_normals(HEAD.base_neutral, TOP.faces, "torch")[face]
    # Along the normals, for dense maps do not see skin slide; less its mean, for depth is known only up to a shift.
    out = [((x[face] - x[face].mean(0)) * normals).sum(-1) for x in (found.control.detach(), true)]
    much = out[1].abs() > 0.001
    assert (out[0] - out[1])[much].abs().mean() < 0.5 * out[1][much].abs().mean() and much.float().mean() > 0.1


def test_an_unusual_identity_has_its_price() -> None:
    unusual = Identity.of(MEAN.subject.replace(shape=torch.full((HEAD.identity_size,), 0.5)))
    rows, offsets = torch.arange(2), Offsets(2, 1.0, unusual)
    prices = []
    for change in (-0.5, 0.0, 1.5):
        offsets.identity.data.fill_(change)
        terms = regularity(offsets, rows, offsets.static(), offsets.dynamic(rows), EVEN)
        prices.append(float(terms["identity"].detach()))
    assert prices == pytest.approx([0.0, 0.25, 4.0])


def test_a_dynamic_offset_tells_a_frame_apart(observation: Observation) -> None:
    """The cheek is full in one frame only: that is no business of the static offset's."""
    plain = seen(np.zeros_like(bump()))
    mixed = replace(
        plain,
        **{
            n: torch.cat([getattr(observation, n)[:1], getattr(plain, n)[1:]])
            for n in ("normals", "depth", "landmarks")
        },
    )
    offsets = Offsets(3, 1.0, MEAN)
    weights = Weights(outline=0.0, dynamic_change=0.0, dynamic_magnitude=0.1, dynamic_bend=0.5)
    fit_stages(offsets, mixed, [Stage(("dynamic_field",), 40, 3, 4e-4, weights)], lambda *said: None)
    cheek = np.linalg.norm(bump(), axis=1) > 0.002
    found = offsets.dynamic(torch.arange(3)).detach()[:, cheek].norm(dim=-1).mean(1)
    assert found[0] > 0.0012 and found[0] > 4 * found[1:].max()


def test_farther_away_with_a_longer_lens_keeps_the_size(observation: Observation) -> None:
    rows = torch.arange(3)
    offsets = Offsets(3, 1.0, MEAN)
    before = offsets.posed(observation, rows, offsets.static(), offsets.dynamic(rows))
    offsets.log_distance.data.fill_(0.7)
    after = offsets.posed(observation, rows, offsets.static(), offsets.dynamic(rows))
    a, b = (project(p.control, p.camera)[..., :2] for p in (before, after))
    assert (a - b).abs().max() < 0.12 * SIDE and (a - b).abs().max() > 1.0
    assert float((after.control[..., 2] / before.control[..., 2]).detach().median()) == pytest.approx(np.exp(0.7), 0.05)


def test_errors_of_the_estimator_become_no_creases() -> None:
    """Normals that err by 15 degrees, in patches of a few pixels as a network does, hardly bend what is fine."""
    plain = seen(np.zeros_like(bump()))
    noise = torch.randn(3, 3, SIDE // 3 + 1, SIDE // 3 + 1, generator=torch.Generator().manual_seed(1))
    patches = torch.nn.functional.interpolate(noise, (SIDE, SIDE), mode="bicubic").permute(0, 2, 3, 1)
    wrong = torch.nn.functional.normalize(plain.normals + 0.25 * patches, dim=-1)
    known = plain.certainty > 0
    assert 12.0 < float(torch.rad2deg(torch.acos((wrong * plain.normals).sum(-1)[known].clamp(-1, 1))).mean()) < 18.0
    offsets = Offsets(3, 1.0, MEAN)
    stage = Stage(("static_fine",), 40, 3, 4e-4, Weights(outline=0.0))
    fit_stages(offsets, replace(plain, normals=wrong), [stage], lambda *said: None)
    level, neutral = LEVELS[1], LEVELS[1].upsample(HEAD.base_neutral)
    normals = VertexNormals(level.faces, len(level))(torch.stack([neutral, neutral + offsets.static().fine.detach()]))
    bent = torch.rad2deg(torch.acos((normals[0] * normals[1]).sum(-1).clamp(-1, 1)))[level.face > 0.5]
    assert bent.mean() < 2.5 and bent.quantile(0.99) < 10.0  # 4.3 and 20 where they are as stiff as coarse ones


def test_what_no_outline_was_looked_for_in_has_no_such_term(observation: Observation) -> None:
    without = replace(observation, outline=None, loose=None)
    offsets, rows = Offsets(3, 1.0, MEAN), torch.arange(3)
    posed, energy = offsets.posed(without, rows, offsets.static(), offsets.dynamic(rows)), Energy(TOP, LEVELS[1], SIDE)
    terms, usual = (energy.terms(posed, o, energy.rasterise(posed, o)) for o in (without, observation))
    assert set(usual) - set(terms) == {"outline"}
    for name, value in terms.items():
        torch.testing.assert_close(value, usual[name])
    joined = Observation.joined([without.rows(torch.arange(2)), without])
    assert len(joined) == 5 and joined.outline is None


def test_small_rotations_are_rotations() -> None:
    turns = small_rotation(torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.0, 0.0], [0.0, 0.0, 0.02]]))
    assert torch.allclose(turns @ turns.transpose(1, 2), torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.allclose(turns[1], torch.eye(3)) and turns[2, 1, 0] == pytest.approx(0.02, rel=1e-3)


def test_spreading_keeps_what_is_even_and_evens_out_what_is_not() -> None:
    spread = Spread.of(LEVELS[0])
    soft = LEVELS[0].soft > 0
    even = torch.ones(len(LEVELS[0]), 3)
    assert torch.allclose(spread.smooth(even, 4)[soft], even[soft], atol=1e-5)
    rough = torch.randn(len(LEVELS[0]), 3, generator=torch.Generator().manual_seed(0))
    assert spread.smooth(rough, 8)[soft].std() < 0.4 * rough[soft].std()


def test_regularity_counts_what_it_says() -> None:
    offsets, rows = Offsets(2, 1.0, MEAN), torch.arange(2)
    offsets.dynamic_field.data[1] += 0.001
    found = regularity(offsets, rows, offsets.static(), offsets.dynamic(rows), EVEN)
    assert found["magnitude"] == 0 and found["bend"] == 0 and found["pose"] == 0
    assert found["dynamic_magnitude"] > 0 and found["dynamic_change"] > 0


def test_a_head_may_end_inside_of_its_hair_but_not_outside() -> None:
    """The outline of skin is where the head ends; that of hair is only where it ends at the latest."""
    observation, offsets = seen(np.zeros((len(HEAD.base_neutral), 3), np.float32)), Offsets(3, 1.0, MEAN)
    energy, every = Energy(TOP, LEVELS[1], SIDE), torch.arange(3)
    posed = offsets.posed(observation, every, offsets.static(), offsets.dynamic(every))
    rasterised, size = energy.rasterise(posed, observation), observation.classes.shape

    def outline(away_px: float, hair: float) -> float:
        told = replace(observation, outline=torch.full(size, away_px), loose=torch.full(size, hair))
        return float(energy.terms(posed, told, rasterised)["outline"].detach())

    assert outline(-5.0, 0.0) == pytest.approx(outline(5.0, 0.0)) and outline(5.0, 0.0) > 1.0
    assert outline(-5.0, 1.0) == 0.0 and outline(5.0, 1.0) == pytest.approx(outline(5.0, 0.0))


def test_a_distance_far_from_the_tracked_one_costs() -> None:
    offsets, rows = Offsets(3, 1.0, MEAN), torch.arange(3)

    def cost(factor: float) -> float:
        offsets.log_distance.data.fill_(float(np.log(factor)))
        return float(regularity(offsets, rows, offsets.static(), offsets.dynamic(rows), EVEN)["distance"].detach())

    assert cost(1.0) == 0.0 and cost(2.0) == pytest.approx(cost(0.5)) and cost(2.0) > 10 * cost(1.2)


def test_what_lies_far_behind_the_mesh_is_no_evidence() -> None:
    """A neck that is seen where the mesh has a chin is not what the chin looks like."""
    observation, offsets = seen(np.zeros((len(HEAD.base_neutral), 3), np.float32)), Offsets(3, 1.0, MEAN)
    energy, every = Energy(TOP, LEVELS[1], SIDE), torch.arange(3)
    posed = offsets.posed(observation, every, offsets.static(), offsets.dynamic(every))
    whole = energy.rasterise(posed, observation).evidence
    side = 0.9 / 2.4  # metres of the crop at the head's distance
    rows = slice(SIDE // 2, SIDE // 2 + 6)
    behind, nearly = observation.depth.clone(), observation.depth.clone()
    behind[:, rows] += 0.03 / side
    nearly[:, rows] += 0.005 / side
    hidden = energy.rasterise(posed, replace(observation, depth=behind + 0.1)).evidence  # depth is up to a shift
    assert whole[:, rows].sum() > 50 and hidden[:, rows].max() == 0.0
    torch.testing.assert_close(hidden[:, : rows.start], whole[:, : rows.start])
    torch.testing.assert_close(energy.rasterise(posed, replace(observation, depth=nearly)).evidence, whole)


def smiling(count: int) -> Motion:
    """A head that smiles, and then does not; of `count` frames the first."""
    motion = frames()[:2]
    codes = torch.zeros_like(motion.expression)
    codes[0, [index("mouthSmileLeft"), index("mouthSmileRight")]] = 0.9
    return motion.replace(expression=codes)[:count]


@pytest.mark.slow
def test_what_is_never_seen_at_rest_is_hardly_who_somebody_is() -> None:
    """Seen in a smile alone, a fuller cheek is set apart as dynamic; seen at rest too, it is the person's own."""
    cheek = np.linalg.norm(bump(), axis=1) > 0.002
    weights = Weights(outline=0.0, dynamic_magnitude=1.0, dynamic_bend=1.0, dynamic_change=0.0)
    stage = Stage(("static_coarse", "dynamic_field"), 40, 2, 4e-4, weights)
    shares = []
    for count in (1, 2):
        observation = seen(bump(), smiling(count))
        offsets = Offsets(count, 1.0, MEAN)
        cost = TOP.at_landmarks(never_at_rest(offsets, observation)[0][:, None])[:, 0]
        assert (cost[61] > 5.0) == (count == 1) and cost[10] < 1.5  # corner of the mouth, forehead
        fit_stages(offsets, observation, [stage], lambda *said: None)
        size = [
            float(field.detach()[..., cheek, :].norm(dim=-1).mean())
            for field in (offsets.static().coarse, offsets.dynamic(torch.arange(1)))
        ]
        shares.append(size[0] / sum(size))
    assert shares[0] < 0.7 * shares[1]
