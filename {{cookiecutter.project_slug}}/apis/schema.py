"""How views become the OpenAPI document. https://drf-spectacular.readthedocs.io/en/latest/customization.html"""

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    """drf-spectacular's description of a view."""
