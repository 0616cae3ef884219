"""How static files are named."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ModuleStaticFilesStorage(ManifestStaticFilesStorage):
    """Names by content also what JavaScript modules import, as nginx lets browsers keep files for ever.

    Django finds an import by its semicolon.
    """

    support_js_module_import_aggregation = True
