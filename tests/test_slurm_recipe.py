"""The job of ``docs/resuming.md`` queues itself again when the run was paused, and only then."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from .conftest import REPOSITORY

STUBS = {
    "srun": 'for n in 0 1; do export SLURM_PROCID=$n SLURM_LOCALID=$n; "$@"; code=$?; done; exit $code',
    "reidzoo": 'echo "$RANK/$WORLD_SIZE $LOCAL_RANK $OMP_NUM_THREADS $MASTER_PORT $*" >> "$TMPDIR/calls"; exit $CODE',
    "scontrol": 'echo "scontrol $*" >> "$TMPDIR/calls"',
}
TRAIN = "train --config-file projects/SpCL/market_usl.yml --resume"


@pytest.fixture
def job(tmp_path):
    text = (REPOSITORY / "docs" / "resuming.md").read_text()
    path = tmp_path / "job.sh"
    path.write_text(re.search(r"^`job\.sh`:\n\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
    return path


@pytest.mark.parametrize(("code", "exit_code", "queued"), [(0, 0, []), (2, 2, []), (75, 0, ["scontrol requeue 41"])])
def test_the_job_is_queued_again_when_it_was_paused(job, tmp_path, code, exit_code, queued):
    assert subprocess.run(["bash", "-n", job], check=False).returncode == 0
    (tmp_path / "bin").mkdir()
    for name, text in STUBS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "41", "SLURM_CPUS_PER_TASK": "8", "SLURM_NTASKS": "2"}
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    env = {**os.environ, **slurm, "PATH": path, "TMPDIR": str(tmp_path), "CODE": str(code)}
    ran = subprocess.run(["bash", job], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == exit_code, ran.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [f"0/2 0 8 20041 {TRAIN}", f"1/2 1 8 20041 {TRAIN}", *queued]


def test_what_the_job_asks_for(job):
    asked = set(re.findall(r"^#SBATCH (\S+)$", job.read_text(), re.MULTILINE))
    assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} <= asked  # TERM to the steps, not to this script
