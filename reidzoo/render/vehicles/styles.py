"""The styles of the twins of vehicles: what drives there, and through which cameras it is seen."""

from __future__ import annotations

from dataclasses import dataclass

from reidzoo.render.camera import CameraSpread
from reidzoo.render.vehicles.vehicle import Fleet

__all__ = ["VEHICLE_STYLES", "VehicleStyle"]


@dataclass(frozen=True)
class VehicleStyle:
    """The settings in which one twin of vehicles differs from another.

    Attributes:
        name: the dataset, as its reader is registered.
        fleet: what drives there.
        cameras: how the cameras differ.
        frontal: whether the cameras look along the road, so that fronts and rears are all they see.
        turning: share of the passages at a junction that are across or around the corner.
        size: smallest and largest length of an image's longer side, pixels.
        distance: smallest and largest distance of the camera, in lengths of the vehicle.
        jitter: error of the vehicle detector, share of the box.
        occluded: share of the photographs in which something stands before the vehicle.
        company: share of the photographs with another vehicle, behind or partly before this one.
        daylight: whether the photographs are taken around noon only.
    """

    name: str
    fleet: Fleet
    cameras: CameraSpread
    frontal: bool = False
    turning: float = 0.35
    size: tuple[int, int] = (92, 136)
    distance: tuple[float, float] = (2.4, 4.5)
    jitter: float = 0.045
    occluded: float = 0.14
    company: float = 0.3
    daylight: bool = False


VERI = VehicleStyle(
    name="VeRi776",
    fleet=Fleet(
        kinds={"sedan": 42, "hatchback": 10, "suv": 17, "van": 12, "pickup": 4, "bus": 5, "truck": 10},
        paints={"white": 19, "pearl": 4, "silver": 9, "gray": 8, "graphite": 4, "black": 16, "red": 9, "maroon": 2,
                "blue": 7, "sky": 2, "navy": 2, "green": 4, "gold": 4, "champagne": 3, "brown": 3, "yellow": 3,
                "orange": 2},
        models=0.75, taxis=0.16,
    ),
    cameras=CameraSpread(
        kinds=("avenue", "junction", "junction", "gate"), gain=0.075, exposure=0.16, gamma=0.14,
        response=(1.0, 1.0, 1.02), saturation=(0.65, 0.95), contrast=(0.85, 1.05), haze=(0.0, 0.08),
        elevation=(0.13, 0.42), resolution=(0.4, 0.85), noise=(2.0, 5.0), quality=(70, 92), shading=0.35,
    ),
)  # fmt: skip

VEHICLEID = VehicleStyle(
    name="VehicleID",
    fleet=Fleet(
        kinds={"sedan": 46, "hatchback": 12, "suv": 24, "van": 10, "pickup": 2, "bus": 2, "truck": 4},
        paints={"white": 24, "pearl": 5, "silver": 12, "gray": 8, "graphite": 4, "black": 22, "red": 8, "maroon": 2,
                "blue": 5, "navy": 3, "gold": 2, "champagne": 3, "brown": 2, "yellow": 1},
        models=1.0, taxis=0.05,
    ),
    cameras=CameraSpread(
        kinds=("highway", "avenue"), gain=0.055, exposure=0.15, gamma=0.12, response=(0.97, 1.0, 1.03),
        saturation=(0.7, 0.95), contrast=(0.9, 1.12), haze=(0.0, 0.05), elevation=(0.2, 0.42),
        resolution=(0.6, 1.0), noise=(1.5, 4.0), quality=(80, 94), shading=0.35,
    ),
    frontal=True, size=(96, 132), distance=(2.6, 4.0), jitter=0.04, occluded=0.04, company=0.2, daylight=True,
)  # fmt: skip

VEHICLE_STYLES = {style.name: style for style in (VERI, VEHICLEID)}
