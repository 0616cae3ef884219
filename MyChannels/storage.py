"""The storage that names static files."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ModuleStaticFilesStorage(ManifestStaticFilesStorage):
    """Also puts content hashes into the imports of JavaScript modules: nginx lets browsers cache files forever.

    Django only finds imports that end with a semicolon.
    """

    support_js_module_import_aggregation = True
