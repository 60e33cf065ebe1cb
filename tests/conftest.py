"""Small trees in the real layouts, so that everything can run in a second."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from yacs.config import CfgNode

from .warm_python import WarmPython

REPOSITORY = Path(__file__).parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def pytest_configure(config: pytest.Config) -> None:
    """Let torch have one thread and freed memory go back, here and in processes of tests unless told otherwise."""
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))
    # Autograd counts devices at the first backward pass; one that an exporter fakes would forbid forked processes.
    torch.ones(1, requires_grad=True).sum().backward()
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(128 << 20))  # else thousands of tests keep 4 GB


SLOW = {"warm_python", "market_twin", "site"}
"""Fixtures that start processes, render or build for seconds: a test that asks for one, or for what does, is slow."""

SENSITIVE = {
    *("backbones", "clustering", "discriminators", "engine", "evaluation", "heads", "hooks", "inference", "losses"),
    *("memories", "models", "neighbours", "projects", "testing", "trainers", "transforms", "weights"),
}
"""Folders of tests that compare floats of two routes, or train for a moment: the processor's rounding reaches them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests the markers that follow from their fixtures and folders."""
    tests = REPOSITORY / "tests"
    for item in items:
        if SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.path.relative_to(tests).parts[0] in SENSITIVE:
            item.add_marker(pytest.mark.sensitive)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed every test alike: what it draws does not depend on the tests that ran before it in its process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def draw_person(path: Path, pid: int, camid: int, number: int) -> None:
    """Write a 32 x 16 image whose two halves have the colours of ``pid``, with the noise of a camera."""
    colours = np.random.default_rng(pid).integers(30, 225, (2, 3))
    noise = np.random.default_rng([pid, camid, number])
    image = np.repeat(colours, 16, axis=0)[:, None, :] + noise.normal(8 * camid, 12, (32, 16, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)


def make_tiny_datasets(root: Path, ids: int = 12, images: int = 6) -> Path:
    """Write trees of random two-coloured 'people' in the layouts of nine datasets, marked as twins."""
    market, msmt, rp = root / "Market-1501-v15.09.15", root / "MSMT17_V1", root / "RandPerson"
    duke, cuhk = root / "DukeMTMC-reID", root / "cuhk03-np"
    lists = {"list_train.txt": [], "list_val.txt": [], "list_query.txt": [], "list_gallery.txt": []}
    for pid in range(1, ids + 1):
        for n in range(images):
            cam = n % 3 + 1
            test = "query" if n < 2 else "bounding_box_test"
            name = f"{pid:04d}_c{cam}s1_{n:06d}_00.jpg"
            draw_person(market / "bounding_box_train" / name, 100 + pid, cam, n)
            name = f"{500 + pid:04d}_c{cam}s1_{n:06d}_00.jpg"
            draw_person(market / test / name, 200 + pid, cam, n)
            draw_person(duke / "bounding_box_train" / f"{pid:04d}_c{cam}_f{n:07d}.jpg", 700 + pid, cam, n)
            draw_person(duke / test / f"{500 + pid:04d}_c{cam}_f{n:07d}.jpg", 800 + pid, cam, n)
            for split in ("detected", "labeled"):
                draw_person(cuhk / split / "bounding_box_train" / f"{pid:04d}_c{cam}_{n}.png", 900 + pid, cam, n)
                draw_person(cuhk / split / test / f"{500 + pid:04d}_c{cam}_{n}.png", 950 + pid, cam, n)
            name = f"{pid:06d}_s01_c{cam:02d}_f{n:06d}.jpg"
            draw_person(rp / "subset" / "randperson_subset" / name, 300 + pid, cam, n)
            time = ("morning", "noon", "afternoon")[n % 3]
            file = f"{pid - 1:04d}/{pid - 1:04d}_{n:03d}_{cam:02d}_0303{time}_0008_0.jpg"
            draw_person(msmt / "train" / file, 400 + pid, cam, n)
            lists["list_val.txt" if n == 5 else "list_train.txt"].append(f"{file} {pid - 1}")
            draw_person(msmt / "test" / file, 600 + pid, cam, n)
            lists["list_query.txt" if n < 2 else "list_gallery.txt"].append(f"{file} {pid - 1}")
    for name, lines in lists.items():
        (msmt / name).write_text("\n".join(lines) + "\n")
    for folder in (
        market,
        msmt,
        rp,
        duke,
        cuhk,
        *make_tiny_pairs(root, ids, images),
        *make_tiny_vehicles(root, ids, images),
    ):
        (folder / "twin.json").write_text(json.dumps({"made_by": "tests"}))
    make_tiny_crops(root / "crops", ids, images)
    (root / "unlabeled").symlink_to(root / "crops")  # whose folders then say nothing of who is who
    (root / "MSMT17_ECN").symlink_to(market.name)  # which is in Market-1501's layout
    return root


def make_tiny_crops(folder: Path, ids: int, images: int) -> None:
    """Write people's crops as ``FolderDataset`` reads them."""
    for pid in range(1, ids + 1):
        for n in range(images):
            draw_person(folder / "train" / f"person{pid}" / f"{n}_c{n % 3}.jpg", 1500 + pid, n % 3, n)
            test = "query" if n < 2 else "gallery"
            draw_person(folder / test / f"other{pid}" / f"{n}_c{n % 3}.jpg", 1600 + pid, n % 3, n)


def make_tiny_pairs(root: Path, ids: int, images: int) -> tuple[Path, Path]:
    """Write trees in the layouts of VIPeR, which has more people, and of CUHK03 with a third of them in each test."""
    viper, cuhk = root / "VIPeR", root / "cuhk03"
    for pid in range(3 * ids):
        for cam in (0, 1):
            draw_person(viper / f"cam_{'ab'[cam]}" / f"{pid:03d}_{90 * cam}.bmp", 1300 + pid, cam, 0)
    for pid in range(1, ids + 1):
        for n in range(images):
            name = f"1_{pid:03d}_{n % 2 + 1}_{n // 2 + 5 * (n % 2) + 1:02d}.png"
            draw_person(cuhk / "images_labeled" / name, 1400 + pid, n % 2, n)
    tests = [[(k + pid) % ids + 1 for pid in range(ids // 3)] for k in range(20)]
    splits = [{"query": [[f"images_labeled/1_{pid:03d}_1_01.png", pid, 0] for pid in test]} for test in tests]
    (cuhk / "splits_classic_labeled.json").write_text(json.dumps(splits))
    return viper, cuhk


def make_tiny_vehicles(root: Path, ids: int, images: int) -> tuple[Path, Path]:
    """Write trees of two-coloured 'vehicles' in the layouts of VeRi-776 and VehicleID."""
    veri, vehicleid = root / "VeRi", root / "VehicleID_V1.0"
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for pid in range(1, ids + 1):
        for n in range(images):
            cam, test = n % 3 + 1, "query" if n < 2 else "test"
            draw_person(veri / "image_train" / f"{pid:04d}_c{cam:03d}_{n:08d}_0.jpg", 1000 + pid, cam, n)
            draw_person(veri / f"image_{test}" / f"{500 + pid:04d}_c{cam:03d}_{n:08d}_0.jpg", 1100 + pid, cam, n)
            for part, first in (("train", 0), ("test", 500)):
                name = f"{(first + pid) * 100 + n:07d}"
                draw_person(vehicleid / "image" / f"{name}.jpg", 1200 + first + pid, 0, n)
                lists[part].append(f"{name} {first + pid}\n")
    split = vehicleid / "train_test_split"
    split.mkdir()
    (split / "train_list.txt").write_text("".join(lists["train"]))
    for size in (800, 1600, 2400, 3200, 6000, 13164):
        (split / f"test_list_{size}.txt").write_text("".join(lists["test"]))
    return veri, vehicleid


KILLER = '''
import os, signal
from pathlib import Path
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK

@HOOK.register_module()
class KillOnceHook(Hook):
    """Kills its own process, once, after the step ``at``."""
    def __init__(self, at, marks):
        self.at, self.marks = at, Path(marks)
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        mark = self.marks / runner.output_dir.name
        if runner.iter == self.at and self.marks.exists() and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def float64_default() -> Iterator[Callable[[], None]]:
    """Return a function that makes new tensors float64, as a user's program may; at the end they are what they were."""
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(torch.float64)
    torch.set_default_dtype(before)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_datasets(tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="session")
def market_twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``datasets-mini`` with the test half of Market-1501's twin as the tool renders it, in a few seconds."""
    from reidzoo.render.twins import TWINS, plan, render_chunk

    root = tmp_path_factory.mktemp("rendered") / "datasets-mini"
    folder = root / TWINS["Market1501"].folder
    for name in ("bounding_box_train", "query", "bounding_box_test"):
        (folder / name).mkdir(parents=True)
    shots = [shot for shot in plan("Market1501", 1.0, 0) if "train" not in shot.files[0][0]]
    render_chunk("Market1501", 0, str(folder), shots)
    (folder / "twin.json").write_text(json.dumps({"made_by": "tests"}))
    return root


TINY = {
    "INPUT": {"SIZE": [32, 16], "TRANSFORMS": {"crop": {"pad": 2}}},
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
    "SOLVER": {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 2},
    "LOSSES": {"id": {"type": "CrossEntropyLoss"}, "triplet": {"type": "TripletLoss"}},
    "LOG": {"PERIOD": 2},
    "DEVICE": "cpu",
}
"""A configuration that trains in a second; tests add data and change what they are about."""

ADVERSARIAL = {
    "DATASETS": {"TRAIN": {"train": ["RandPerson", "Market1501"]}},
    "TRAINER": {"type": "AdversarialTrainer"},
    "DISCRIMINATORS": {"discriminator": {"type": "MLPDiscriminator", "widths": [16]}},
    "LOSSES": {
        "id": {"type": "CrossEntropyLoss"},
        "balance": {"type": "DomainBalanceLoss"},
        "domain": {
            "type": "CrossEntropyLoss",
            "inputs": {"logits": "domain_logits", "pid": "domain"},
            "phase": "discriminator",
        },
    },
    "OPTIMIZERS": {"discriminator": {"type": "Adam", "lr": 1e-3}},
}
"""What the adversarial trainer takes over ``TINY``."""


@pytest.fixture
def write_config(tmp_path: Path, tiny_root: Path):
    """Return a function that writes a YAML file over ``TINY`` and returns its path."""
    import yaml

    def write(name: str = "tiny.yml", **changes) -> Path:
        node = {**TINY, "OUTPUT_DIR": str(tmp_path / "run"), **changes}
        node.setdefault("DATASETS", {})
        node["DATASETS"] = {
            "ROOT": str(tiny_root),
            "TRAIN": {"train": "Market1501"},
            "TESTS": ["Market1501"],
            **node["DATASETS"],
        }
        path = tmp_path / name
        path.write_text(yaml.safe_dump(node, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory):
    """The process whose copies run what ``python ...`` would, without seconds of imports."""
    with contextlib.closing(WarmPython(tmp_path_factory.mktemp("printed"))) as python:
        yield python


@pytest.fixture
def run_tool(warm_python):
    """Return a function that runs ``tools/NAME`` as a user does and returns the finished process.

    With ``own``, the process is an interpreter of its own.
    """

    def run(name: str, *args: object, own: bool = False, **options) -> subprocess.CompletedProcess:
        options["env"] = {**os.environ, **options.get("env", {})}
        words = [str(REPOSITORY / "tools" / name), *map(str, args)]
        if not own:
            return warm_python.run(words, **options)
        options |= {"capture_output": True, "text": True, "timeout": 900, "check": False}
        return subprocess.run([sys.executable, *words], **options)

    return run


@pytest.fixture
def run_processes(warm_python):
    """Return a function that runs ``python WORDS`` in so many processes of one training; they know what torchrun says.

    It returns the finished processes in the order of their ranks.
    """

    def run(count: int, *words: object) -> list[subprocess.CompletedProcess]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
        ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(count)} for rank in range(count)]
        started = [warm_python.start(words, env={**os.environ, **shared, **rank}) for rank in ranks]
        return [process.finish() for process in started]

    return run


@pytest.fixture
def read_svg():
    """Return a function that returns an SVG's title, description and other words.

    They hold what is drawn, whereas numbers at the axes, places and bytes are of one version of matplotlib.
    """

    def read(svg: str) -> tuple[str, str, set[str]]:
        tree = ET.fromstring(svg)
        title, description = (tree.findtext(f"{SVG}{name}") for name in ("title", "desc"))
        texts = {"".join(node.itertext()) for node in tree.iter(f"{SVG}text")}
        return title, description, {text for text in texts if text not in title and not re.match(r"[−\d.]+$", text)}

    return read


@pytest.fixture
def train_in_one_and_two(run_processes, tmp_path: Path):
    """Return a function that trains a configuration in one process and in two, and returns the two runs' folders."""

    def train(config: Path, *args: object, counts: Sequence[int] = (1, 2)) -> list[Path]:
        outputs = [tmp_path / str(count) for count in counts]
        for count, output in zip(counts, outputs):
            tool = REPOSITORY / "tools" / "train_net.py"
            for ran in run_processes(count, tool, "--config-file", config, "--output-dir", output, *args):
                assert ran.returncode == 0, ran.stderr
        return outputs

    return train


@pytest.fixture
def killer(tmp_path: Path) -> Path:
    """The plug-in ``killer`` beside a configuration in ``tmp_path``: ``KillOnceHook``."""
    path = tmp_path / "killer.py"
    path.write_text(KILLER)
    return path


def _leaves(value: object, prefix: str = "") -> dict[str, object]:
    """Return the tensors and plain values of a checkpoint by their paths."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: leaf for key, item in items for path, leaf in _leaves(item, f"{prefix}.{key}").items()}
    return {prefix: value}


def assert_equal_runs(run: Path, other: Path, ignore: str = "") -> None:
    """Check that two folders of a stage have equal checkpoints, metrics and results, bit for bit.

    Args:
        run, other: the folders.
        ignore: paths in a checkpoint that contain this are left out.
    """
    ours, theirs = (_leaves(torch.load(folder / "model_final.pth", weights_only=True)) for folder in (run, other))
    keys = [{key for key in leaves if not ignore or ignore not in key} for leaves in (ours, theirs)]
    assert keys[0] == keys[1]
    for key in keys[0]:
        same = torch.equal(ours[key], theirs[key]) if torch.is_tensor(ours[key]) else ours[key] == theirs[key]
        assert same, f"{run.name}{key}"
    for name in ("metrics.jsonl", "results.json"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture
def resumes_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that trains a configuration twice, once with a death, and checks that both end alike."""
    from reidzoo.hooks import CheckpointHook, LogHook
    from reidzoo.runs.pipeline import Pipeline

    def check(config: Callable[[str], CfgNode], stage: str, at: int, saved: tuple[int, int]) -> Path:
        """Return the folder of the uninterrupted stage.

        Args:
            config: folder's name -> configuration of a run in ``tmp_path`` / name.
            stage: the stage that dies.
            at: after so many steps of it.
            saved: complete epochs, and steps of the next one, of the last checkpoint before.
        """
        Pipeline(config("whole")).train()
        log = LogHook.after_train_iter

        def die(self, runner, *args, **kwargs):
            log(self, runner, *args, **kwargs)
            if runner.iter == at and runner.output_dir.name == stage:
                raise InterruptedError

        with monkeypatch.context() as patched, pytest.raises(InterruptedError):
            patched.setattr(LogHook, "after_train_iter", die)
            patched.setattr(CheckpointHook, "_time_is_up", lambda *_: True)  # epochs as short as these are not saved
            Pipeline(config("died")).train()
        last = torch.load(tmp_path / "died" / stage / "last.pth", weights_only=True)
        assert (last["epoch"], last["step"]) == saved
        Pipeline(config("died")).train(go_on=True)
        assert_equal_runs(tmp_path / "died" / stage, tmp_path / "whole" / stage)
        return tmp_path / "whole" / stage

    return check


@pytest.fixture
def resumes_after_sigkill(run_tool, tmp_path: Path):
    """Return a function that trains a file as a user does, once killed in every stage, and checks that both end alike.

    The file's stages have a ``KillOnceHook`` with marks in ``tmp_path / "marks"``.
    """

    def check(config: Path, stages: Sequence[str], *args: object) -> Path:
        """Return the folder of the uninterrupted run; ``args`` are further arguments of the killed one."""
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        # What an interpreter chooses anew each time, the order of a set's words, is to play no part.
        ran = run_tool("train_net.py", "--config-file", config, "--output-dir", whole, own=True)
        assert ran.returncode == 0, ran.stderr
        (tmp_path / "marks").mkdir()
        arguments = ["--config-file", config, "--output-dir", killed, *args]
        codes = [run_tool("train_net.py", *arguments).returncode]
        for _ in stages:
            ran = run_tool("train_net.py", *arguments, "--resume")
            while "is in use by another run" in ran.stderr:  # loader processes miss a killed one after up to 5 s
                time.sleep(0.5)
                ran = run_tool("train_net.py", *arguments, "--resume")
            codes.append(ran.returncode)
        assert codes == [-signal.SIGKILL] * len(stages) + [0], ran.stderr
        for stage in stages:
            assert_equal_runs(killed / stage, whole / stage)
        return whole

    return check


@pytest.fixture
def export_extra():
    """Skip the test unless ONNX files can be written and run here."""
    from reidzoo.deployment.formats import OnnxFormat
    from reidzoo.errors import UserError

    try:
        OnnxFormat().check("fp32")
    except UserError as error:
        pytest.skip(str(error))
