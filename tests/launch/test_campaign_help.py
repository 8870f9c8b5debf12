from __future__ import annotations

from hightc.launch.campaign_file import CampaignFile
from hightc.launch.campaign_help import KEYS


def test_help_explains_every_key_of_a_campaign_file():
    assert set(KEYS) == set(CampaignFile.model_fields)
