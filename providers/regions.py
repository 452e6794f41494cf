"""Regions offered in forms, per cloud; any other well-formed region is accepted too."""

from __future__ import annotations

_AWS = """
us-east-1 US East (N. Virginia)
us-east-2 US East (Ohio)
us-west-1 US West (N. California)
us-west-2 US West (Oregon)
ca-central-1 Canada (Central)
ca-west-1 Canada West (Calgary)
mx-central-1 Mexico (Central)
sa-east-1 South America (Sao Paulo)
eu-central-1 Europe (Frankfurt)
eu-central-2 Europe (Zurich)
eu-north-1 Europe (Stockholm)
eu-south-1 Europe (Milan)
eu-south-2 Europe (Spain)
eu-west-1 Europe (Ireland)
eu-west-2 Europe (London)
eu-west-3 Europe (Paris)
ap-east-1 Asia Pacific (Hong Kong)
ap-east-2 Asia Pacific (Taipei)
ap-northeast-1 Asia Pacific (Tokyo)
ap-northeast-2 Asia Pacific (Seoul)
ap-northeast-3 Asia Pacific (Osaka)
ap-south-1 Asia Pacific (Mumbai)
ap-south-2 Asia Pacific (Hyderabad)
ap-southeast-1 Asia Pacific (Singapore)
ap-southeast-2 Asia Pacific (Sydney)
ap-southeast-3 Asia Pacific (Jakarta)
ap-southeast-4 Asia Pacific (Melbourne)
ap-southeast-5 Asia Pacific (Malaysia)
ap-southeast-7 Asia Pacific (Thailand)
af-south-1 Africa (Cape Town)
il-central-1 Israel (Tel Aviv)
me-central-1 Middle East (UAE)
me-south-1 Middle East (Bahrain)
us-gov-east-1 AWS GovCloud (US-East)
us-gov-west-1 AWS GovCloud (US-West)
"""

_VERTEX = """
global Global
us United States (several regions)
eu European Union (several regions)
us-central1 Iowa
us-east1 South Carolina
us-east4 Northern Virginia
us-east5 Columbus
us-south1 Dallas
us-west1 Oregon
us-west4 Las Vegas
northamerica-northeast1 Montreal
southamerica-east1 Sao Paulo
europe-central2 Warsaw
europe-north1 Finland
europe-southwest1 Madrid
europe-west1 Belgium
europe-west2 London
europe-west3 Frankfurt
europe-west4 Netherlands
europe-west6 Zurich
europe-west8 Milan
europe-west9 Paris
asia-east1 Taiwan
asia-east2 Hong Kong
asia-northeast1 Tokyo
asia-northeast3 Seoul
asia-south1 Mumbai
asia-southeast1 Singapore
australia-southeast1 Sydney
me-central1 Doha
me-central2 Dammam
me-west1 Tel Aviv
"""

_OCI = """
us-ashburn-1 US East (Ashburn)
us-chicago-1 US Midwest (Chicago)
us-phoenix-1 US West (Phoenix)
sa-saopaulo-1 Brazil East (Sao Paulo)
eu-frankfurt-1 Germany Central (Frankfurt)
uk-london-1 UK South (London)
me-dubai-1 UAE East (Dubai)
me-riyadh-1 Saudi Arabia Central (Riyadh)
ap-hyderabad-1 India South (Hyderabad)
ap-osaka-1 Japan Central (Osaka)
"""

_IBM = """
us-south US South (Dallas)
ca-tor Canada (Toronto)
eu-de Europe (Frankfurt)
eu-gb Europe (London)
jp-tok Asia Pacific (Tokyo)
au-syd Asia Pacific (Sydney)
"""


def _options(lines: str) -> tuple[tuple[str, str], ...]:
    pairs = (line.split(" ", 1) for line in lines.strip().splitlines())
    return tuple((value, label) for value, label in pairs)


REGIONS = {
    "aws": _options(_AWS),
    "vertex": _options(_VERTEX),
    "oci": _options(_OCI),
    "ibm": _options(_IBM),
}
