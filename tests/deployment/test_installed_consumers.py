"""The programs themselves embed crops with our files: their own code, in processes and folders of their own.

boxmot and ultralytics are AGPL-3.0; nothing of them is imported here. They are installed without their dependencies
into ``$REIDZOO_CONSUMERS``, which keeps them from one run to the next, or into a temporary folder. DeepStream needs an
NVIDIA GPU, and is not among them.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from reidzoo.deployment import ExportPlan, export_graph
from reidzoo.deployment.consumers import CONSUMERS
from reidzoo.render import render_video

pytestmark = pytest.mark.slow
SIZE = (64, 32)
EMBED = {
    "boxmot": """
import boxmot.reid.backends.onnx_backend as onnx_backend
import boxmot.reid.backends.openvino_backend as openvino_backend
onnx_backend.requirement_satisfied = lambda requirement: True  # it would install its own release otherwise
openvino_backend.ensure_reid_backend_requirements = lambda *_: None
from boxmot.reid.core.runtime import ReID
result = ReID(file)(image[..., ::-1].copy(), boxes)
""",
    "ultralytics": """
import ultralytics.trackers.utils.reid as module
module.save_one_box = lambda box, image, **_: image[int(box[1]):int(box[3]), int(box[0]):int(box[2])]  # no margin
centres = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
result = np.stack(module.ReID(file, device="cpu")(image[..., ::-1].copy(), centres))
""",
    "roboflow": """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(file).parent))
import supervision
from tiny_reid import load
result = load().extract_embeddings(supervision.Detections(xyxy=boxes), image[..., ::-1].copy())
""",
    "norfair": """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(file).parent))
import norfair
from tiny_norfair import appearance_distance, embed
result = embed(image[..., ::-1], boxes)
found = [norfair.Detection(box.reshape(2, 2), embedding=row) for box, row in zip(boxes, result)]
tracker = norfair.Tracker(distance_function="iou", distance_threshold=0.7, reid_distance_threshold=0.3,
                          reid_distance_function=appearance_distance, reid_hit_counter_max=60)
for _ in range(20):
    tracks = tracker.update(found)
assert len(tracks) == len(boxes), "each box is a track"
""",
}


@pytest.mark.usefixtures("export_extra")
@pytest.mark.parametrize("name, to", [(name, to) for name in EMBED for to in CONSUMERS[name].formats])
def test_a_program_embeds_crops_as_the_model_does(make_model, crops, tmp_path, run_with, name, to):
    """Crops of the model's own size, which no program resizes, so that everything else must be the same."""
    if to == "openvino":
        pytest.importorskip("openvino", reason="openvino is not installed: pip install -e '.[openvino]'")
    model = make_model(size=SIZE)
    plan = ExportPlan.make(model, "tiny", to=to, consumer=name)
    export_graph(plan, crops, tmp_path)
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    boxes = np.array(
        [[left, top, left + SIZE[1], top + SIZE[0]] for left, top in ((3, 5), (100, 20), (250, 130))], float
    )
    np.savez(tmp_path / "given.npz", image=image, boxes=boxes)
    load = (
        f"import numpy as np\nfile = {str(tmp_path / plan.files()[0])!r}\n"
        "image, boxes = (np.load('given.npz')[key] for key in ('image', 'boxes'))\n"
    )
    run_with(name, f"{load}{EMBED[name]}\nnp.save('result.npy', np.asarray(result, np.float32))\n", tmp_path)
    cuts = [image[int(t) : int(b), int(left) : int(right)] for left, t, right, b in boxes]
    expected = model.embed([torch.from_numpy(cut.copy()).permute(2, 0, 1) for cut in cuts])
    found = torch.from_numpy(np.load(tmp_path / "result.npy"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_roboflow_opens_the_folder_of_a_plain_osnet(make_model, crops, tmp_path, run_with):
    head = {"type": "LinearHead", "embedding_dim": 512}
    model = make_model({"type": "OSNet", "width": 0.25, "norm": "bn"}, head, size=SIZE, INPUT_INTERPOLATION="bilinear")
    export_graph(ExportPlan.make(model, "tiny", consumer="roboflow"), crops, tmp_path)
    code = (
        "import numpy as np\nfrom reid import ReIDModel\n"
        f"model = ReIDModel.from_pretrained('tiny_reid', device='cpu')\n"
        f"np.save('result.npy', model.extract_embeddings_from_paths({crops.query!r}))\n"
    )
    run_with("roboflow", code, tmp_path)
    found = torch.nn.functional.normalize(torch.from_numpy(np.load(tmp_path / "result.npy")))
    torch.testing.assert_close(found, model.embed(crops.query), rtol=0, atol=1e-4)


TRACK = """
import types, yaml, cv2, numpy as np
from pathlib import Path
from ultralytics.engine.results import Boxes
from ultralytics.trackers.bot_sort import BOTSORT

def track(folder, settings):
    own = yaml.safe_load(Path("tiny_botsort.yaml").read_text())
    settings = {**own, "gmc_method": "none", "device": "cpu", **settings}
    tracker, lines = BOTSORT(types.SimpleNamespace(**settings)), []
    rows = np.loadtxt(folder / "det" / "det.txt", delimiter=",")
    for frame in range(1, int(rows[:, 0].max()) + 1):
        here = rows[rows[:, 0] == frame]
        boxes = np.concatenate([here[:, 2:4], here[:, 2:4] + here[:, 4:6], here[:, 6:7], np.zeros((len(here), 1))], 1)
        image = cv2.imread(str(folder / "img1" / f"{frame:06d}.jpg"))
        for x1, y1, x2, y2, number, *_ in tracker.update(Boxes(boxes.astype(np.float32), image.shape[:2]), image):
            lines.append(f"{frame},{int(number)},{x1:.1f},{y1:.1f},{x2 - x1:.1f},{y2 - y1:.1f},1,-1,-1,-1")
    return "\\n".join(lines) + "\\n"

folder = Path("MOT-twin/test/twin-c1")
Path("own.txt").write_text(track(folder, {}))
Path("default.txt").write_text(track(folder, {"with_reid": False}))
"""
SCORE = """
import json
from trackers.eval import evaluate_mot_sequence
scores = {}
for name in ("own", "default"):
    found = evaluate_mot_sequence("MOT-twin/test/twin-c1/gt/gt.txt", f"{name}.txt", ["HOTA", "Identity"])
    scores[name] = {"HOTA": found.HOTA.HOTA, "IDF1": found.Identity.IDF1}
print(json.dumps(scores))
"""


@pytest.mark.usefixtures("export_extra")
def test_a_tracker_follows_people_with_our_model(crops, tmp_path, run_with, record_property):
    """With a trained model; the figures are printed next to those of the tracker's default, which has no appearance."""
    import reidzoo

    render_video(tmp_path, scale=0.6, jobs=1, frames=70)
    model = reidzoo.load("spcl_mini")
    export_graph(ExportPlan.make(model, "tiny", consumer="ultralytics"), crops, tmp_path)
    run_with("ultralytics", TRACK, tmp_path)
    scores = json.loads(run_with("trackers", SCORE, tmp_path).splitlines()[-1])
    print(scores)
    record_property("scores", scores)
    assert scores["own"]["IDF1"] > 0.5 and scores["own"]["HOTA"] > 0.4
    assert set(CONSUMERS) == {*EMBED, "deepstream"}
