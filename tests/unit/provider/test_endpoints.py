"""The table of endpoints holds together."""

import pytest

from provider.endpoints import ENDPOINTS, Endpoint, fields_of


@pytest.fixture(params=sorted(ENDPOINTS))
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    return ENDPOINTS[request.param]


def test_it_lies_somewhere_and_says_who_says_so(endpoint: Endpoint) -> None:
    assert endpoint.new_path or endpoint.direct_path
    assert endpoint.source
    assert not (endpoint.old_path and not endpoint.new_path)


def test_nothing_that_costs_money_may_be_asked_twice(endpoint: Endpoint) -> None:
    assert not (endpoint.paid and endpoint.idempotent)
    assert endpoint.method == "POST" or endpoint.idempotent


def test_what_is_said_of_fields_is_said_of_fields_that_there_are(endpoint: Endpoint) -> None:
    fields = fields_of(endpoint.request)
    assert fields_of(endpoint.seed).items() <= fields.items()
    assert endpoint.names.keys() <= fields_of(endpoint.seed).keys()
    assert {*endpoint.names.values(), *endpoint.path_names} <= fields.keys()


def test_path_parameters_go_to_the_query_in_the_old_format(endpoint: Endpoint) -> None:
    for name in endpoint.path_names:
        assert endpoint.old_path == (endpoint.new_path or "").replace("{" + name + "}", name)
        assert "{" + name + "}" in (endpoint.direct_path or "")
