from __future__ import annotations


def test_it_lists_a_registry_with_first_lines_and_files(run_tool, tmp_path):
    done = run_tool("list_registry.py", "transform", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "TRANSFORM"
    line = next(line for line in lines if line.strip().startswith("PadCrop"))
    assert "Pads every side with zeros" in line
    assert line.endswith("pad_crop.py]")


def test_plugins_of_a_configuration_are_listed_too(write, run_tool, tmp_path):
    write("zplug.py", """
        from reidzoo.registry import TRANSFORM

        @TRANSFORM.register_module()
        class ZTransform:
            '''Does nothing.

            More.
            '''

        @TRANSFORM.register_module()
        class ZSilent(ZTransform):
            pass
    """)  # fmt: skip
    write("a.yml", "PLUGINS: [zplug]")
    done = run_tool("list_registry.py", "--config-file", "a.yml", "TRANSFORM", cwd=tmp_path)
    rows = {line.split()[0]: line.split(None, 1)[1] for line in done.stdout.splitlines()[1:] if line}
    assert rows["ZTransform"] == "Does nothing.  [zplug.py]"
    assert rows["ZSilent"] == "(no docstring)  [zplug.py]"


def test_an_unknown_registry(run_tool):
    done = run_tool("list_registry.py", "LOSSES")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no registry LOSSES; registries: BACKBONE, ")
