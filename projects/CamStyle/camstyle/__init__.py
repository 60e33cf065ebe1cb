"""StarGAN over a dataset's cameras (Choi et al., CVPR 2018), as ECN (Zhong et al., CVPR 2019, section 3.4) uses it."""

from __future__ import annotations

from camstyle.discriminator import StarGANDiscriminator
from camstyle.generator import StarGANGenerator
from camstyle.trainer import StarGANTrainer
from camstyle.write_styles import WriteStylesHook

__all__ = ["StarGANDiscriminator", "StarGANGenerator", "StarGANTrainer", "WriteStylesHook"]
