"""Draws contact sheets: the same people or vehicles under different cameras, and all twins side by side."""

from __future__ import annotations

from PIL import Image, ImageDraw

from reidzoo.render.people.layouts import LAYOUTS, Shot
from reidzoo.render.people.photographer import Photographer
from reidzoo.render.twins import TWINS, make_photographer, plan
from reidzoo.render.vehicles.layouts import VEHICLE_LAYOUTS
from reidzoo.render.vehicles.photographer import VehiclePhotographer

__all__ = ["contact_sheet", "overview", "vehicle_overview"]

CELL = (72, 144)
VEHICLE_CELL = (128, 110)
HEADER = 18


def contact_sheet(name: str, seed: int = 0, people: int = 8, columns: int = 14) -> Image.Image:
    """Draw ``people`` identities, one row each, under as many cameras as saw them; the images are those of the twin.

    Raises:
        KeyError: there is no twin of ``name``.
    """
    layout, cell = TWINS[name], VEHICLE_CELL if name in VEHICLE_LAYOUTS else CELL
    photographer = make_photographer(name, seed)
    rows: dict[int, list[Shot]] = {}
    for shot in plan(name, people / layout.train_ids, seed):
        rows.setdefault(shot.person, []).append(shot)
    sheet = Image.new("RGB", (60 + columns * cell[0], HEADER + people * (cell[1] + HEADER)), (250, 250, 248))
    draw = ImageDraw.Draw(sheet)
    title = f"{name}: rows are identities, columns are cameras (c) and moments (n); seed {seed}"
    draw.text((4, 3), title, (30, 30, 30))
    for row, (person, shots) in enumerate(list(rows.items())[:people]):
        top = HEADER + row * (cell[1] + HEADER)
        draw.text((4, top + cell[1] // 2 - 12), f"id {person}", (30, 30, 30))
        for column, shot in enumerate(_spread(shots)[:columns]):
            image = photographer.render(shot)[0]
            if image.height > cell[1] or image.width > cell[0]:
                image.thumbnail(cell, Image.Resampling.LANCZOS)
            left = 60 + column * cell[0]
            sheet.paste(image, (left, top))
            draw.text((left, top + cell[1] + 2), f"c{shot.camera + 1} n{shot.number}", (90, 90, 90))
    return sheet


def overview(seed: int = 0, columns: int = 14) -> Image.Image:
    """Draw one row of people per twin at the size of the files, and below each the 64x32 pixels of a small model."""
    step = CELL[1] + 64 + HEADER + 10
    sheet = Image.new("RGB", (columns * (CELL[0] + 4), len(LAYOUTS) * step), (250, 250, 248))
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(LAYOUTS):
        draw.text((4, row * step + 3), name, (30, 30, 30))
        photographer = Photographer(name, seed)
        first = list({shot.person: shot for shot in plan(name, 0.3, seed)}.values())
        for column, shot in enumerate(first[:columns]):
            image = photographer.render(shot)[0]
            image.thumbnail(CELL, Image.Resampling.LANCZOS)
            left, top = column * (CELL[0] + 4), row * step + HEADER
            sheet.paste(image, (left, top))
            sheet.paste(image.resize((32, 64), Image.Resampling.BILINEAR), (left, top + CELL[1] + 4))
    return sheet


def vehicle_overview(seed: int = 0, vehicles: int = 6, columns: int = 8) -> Image.Image:
    """Draw vehicles of several kinds per twin, a row each, as cameras see them; below, the last at 48 x 48 pixels."""
    width, height = VEHICLE_CELL[0] + 4, VEHICLE_CELL[1] + 6
    block = HEADER + vehicles * height + 48 + 10
    sheet = Image.new("RGB", (columns * width, len(VEHICLE_LAYOUTS) * block), (250, 250, 248))
    draw = ImageDraw.Draw(sheet)
    for number, name in enumerate(VEHICLE_LAYOUTS):
        top = number * block
        draw.text((4, top + 3), f"{name}: a row is one vehicle", (30, 30, 30))
        photographer = VehiclePhotographer(name, seed)
        for row, shots in enumerate(_by_kind(name, photographer, seed)[:vehicles]):
            for column, shot in enumerate(_spread(shots)[:columns]):
                image = photographer.render(shot)[0]
                if row == vehicles - 1:
                    small = image.resize((48, 48), Image.Resampling.BILINEAR)
                    sheet.paste(small, (column * width, top + HEADER + vehicles * height))
                image.thumbnail(VEHICLE_CELL, Image.Resampling.LANCZOS)
                sheet.paste(image, (column * width, top + HEADER + row * height))
    return sheet


def _by_kind(name: str, photographer: VehiclePhotographer, seed: int) -> list[list[Shot]]:
    """Return the shots of each vehicle, beginning with one vehicle of every kind."""
    rows: dict[int, list[Shot]] = {}
    for shot in plan(name, 0.5, seed):
        rows.setdefault(shot.person, []).append(shot)
    seen: dict[str, int] = {}
    ranked = []
    for number, (key, shots) in enumerate(rows.items()):
        kind = photographer.vehicle(key).kind
        seen[kind] = seen.get(kind, 0) + 1
        ranked.append((seen[kind], number, shots))
    return [shots for _, _, shots in sorted(ranked, key=lambda row: row[:2])]


def _spread(shots: list[Shot]) -> list[Shot]:
    """Interleave the cameras: the first image under each, then the second, and so on."""
    seen: dict[int, int] = {}
    ranked = []
    for shot in shots:
        seen[shot.camera] = seen.get(shot.camera, 0) + 1
        ranked.append((seen[shot.camera], shot.camera, shot.number, shot))
    chosen = sorted(ranked, key=lambda entry: entry[:3])
    return [entry[-1] for entry in chosen]
