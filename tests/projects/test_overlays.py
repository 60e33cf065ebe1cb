"""Projects' small.yml, laid over a file of full size, gives the project's file for the rendered twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidzoo.config import load_config, stage_configs

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parents[2] / "projects"


@pytest.mark.parametrize(
    "project, full, mini",
    [
        ("ARN", "duke_market.yml", "mini.yml"),
        ("ECN", "duke_market.yml", "mini.yml"),
        ("MMT", "randperson_msmt.yml", "mini.yml"),
        ("SpCL", "randperson_msmt.yml", "mini.yml"),
        ("SpCL", "msmt_usl.yml", "mini_usl.yml"),
    ],
)
def test_small_is_an_overlay_too(project, full, mini):
    folder = PROJECTS / project
    laid, own = (
        stage_configs(load_config(folder / file, overlays=overlays))
        for file, overlays in ((full, [folder / "small.yml"]), (mini, []))
    )
    assert list(laid) == list(own) and next(iter(own)) == "pretrain"
    for cfg in (*laid.values(), *own.values()):
        cfg.defrost()
        cfg.OUTPUT_DIR = ""
    assert laid == own
