"""The plugin by which Airflow's API server serves this provider's pages.

Every Airflow process imports this module, so it imports nothing else: a page is read from its file when
somebody opens it.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

__all__ = ["CloudElementsPlugin"]

#: Airflow's configuration section of this provider, and the option that switches the pages on and off.
SECTION, OPTION = "cloudelements", "pages"
PREFIX = "/cloudelements"


class CloudElementsPlugin(AirflowPlugin):
    """Serve ``/cloudelements/consent`` and ``/cloudelements/instances``, with a link in Airflow's navigation.

    ``[cloudelements] pages = False`` switches both off.
    """

    name = "cloudelements"

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Add the pages. Airflow calls this once in each process, before it asks for the applications."""
        if pages_are_on():
            cls.fastapi_apps = [{"app": pages, "url_prefix": PREFIX, "name": "Cloud Elements"}]
            # Without a route Airflow opens the address itself, in a tab of its own, and in no frame. The
            # browser reads it from the address of Airflow's page, whatever path Airflow is served under. Of a
            # view at the top level, without a category, Airflow 3.3.2 makes a button that leads nowhere.
            cls.external_views = [
                {
                    "name": "Cloud Elements",
                    "href": PREFIX[1:] + "/instances",
                    "destination": "nav",
                    "category": "browse",
                }
            ]


def pages_are_on() -> bool:
    """Return whether Airflow's configuration has the pages on, as it has by itself."""
    from airflow.configuration import conf

    return conf.getboolean(SECTION, OPTION, fallback=True)


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request for a page: an ASGI application that loads the pages with the first request."""
    from airflow_provider_cloudelements.pages import answer

    await answer(scope, receive, send)
