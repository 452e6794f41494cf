from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminSite(admin.AdminSite):
    site_header = "ArgusLM"
    site_title = "ArgusLM"
    index_title = "Operations"
    site_url = "/overview"


class AdminConfig(DjangoAdminConfig):
    default_site = "arguslm.admin_site.AdminSite"
