from __future__ import annotations

import numpy as np

from reidzoo.visualization import RIGHT, WRONG, image_sheet


def test_images_and_frames_lie_where_they_should():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 8, 4, 3), dtype=np.uint8)
    sheet = np.asarray(image_sheet([[(images[0], None), (images[1], RIGHT)], [(images[2], WRONG)]]))
    assert sheet.shape == (2 * 16 - 2, 2 * 12 - 2, 3)
    assert np.array_equal(sheet[3:11, 3:7], images[0]) and np.array_equal(sheet[3:11, 15:19], images[1])
    assert np.array_equal(sheet[19:27, 3:7], images[2])
    white = (255, 255, 255)
    assert tuple(sheet[1, 1]) == white and tuple(sheet[5, 0]) == white  # no frame
    assert tuple(sheet[0, 12]) == RIGHT and tuple(sheet[13, 21]) == RIGHT
    assert tuple(sheet[18, 2]) == WRONG and tuple(sheet[16, 0]) == white  # thinner
    assert (sheet[16:, 12:] == 255).all()  # the shorter row


def test_headings_stand_around_the_same_sheet():
    images = np.random.default_rng(0).integers(0, 200, (4, 40, 20, 3), dtype=np.uint8)
    rows = [[(images[0], None), (images[1], RIGHT)], [(images[2], WRONG), (images[3], None)]]
    plain, page = np.asarray(image_sheet(rows)), np.asarray(image_sheet(rows, ["query", "1"], ["a", "a model"]))
    top, left = page.shape[0] - plain.shape[0], page.shape[1] - plain.shape[1]
    assert top > 10 and left > 30
    assert np.array_equal(page[top:, left:], plain)
    for strip in (page[:top, left:], page[top : top + 46, :left], page[top + 48 :, :left]):
        assert (strip < 100).all(-1).any(), "letters"
