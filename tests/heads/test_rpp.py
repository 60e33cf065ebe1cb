from __future__ import annotations

import torch

from reidzoo.heads import PCBHead, RPPHead


def test_places_are_shared_among_the_parts():
    head, maps = RPPHead(8, parts=3, width=4).double(), torch.randn(2, 8, 5, 2).double()
    weight, bias = head.part_classifier.weight[:, :, 0, 0], head.part_classifier.bias
    wanted = torch.zeros(2, 3, 8).double()
    for image in range(2):
        for row in range(5):
            for column in range(2):
                place = maps[image, :, row, column]
                scores = (weight @ place + bias).exp()
                for part in range(3):
                    wanted[image, part] += 3 * scores[part] / scores.sum() * place / 10
    torch.testing.assert_close(head.pool(maps), wanted)


def test_parts_that_are_all_alike_are_the_maps_mean():
    head, maps = RPPHead(8, parts=3, width=4), torch.randn(2, 8, 6, 2)
    torch.nn.init.zeros_(head.part_classifier.weight)
    torch.testing.assert_close(head.pool(maps), maps.mean((2, 3))[:, None].expand(2, 3, 8))


def test_it_takes_over_what_pcb_has_learnt():
    pcb, rpp = PCBHead(8, 5, parts=3, width=4), RPPHead(8, 5, parts=3, width=4)
    found = rpp.load_state_dict(pcb.state_dict(), strict=False)
    assert found.missing_keys == ["part_classifier.weight", "part_classifier.bias"] and not found.unexpected_keys
