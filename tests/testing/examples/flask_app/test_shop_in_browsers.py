"""The whole way in real browsers: the shop's page, its worker, and a notification."""

from threading import Thread

import pytest
from shop import create_app
from werkzeug.serving import make_server


@pytest.fixture
def url(vapid_keys):
    keys = vapid_keys.application_server_key, vapid_keys.to_base64url()
    server = make_server("127.0.0.1", 0, create_app(*keys, vapid_keys.subject), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["firefox", "chromium"])
def browser(request):
    return request.getfixturevalue(request.param)


def test_a_customer_sees_it(browser, url):
    browser.open(url)
    browser.click("subscribe")
    browser.wait_until("() => document.getElementById('state').textContent === 'We will tell you.'")
    browser.evaluate("() => fetch('/orders/7/ship', { method: 'POST' }).then((answer) => answer.json())")
    assert browser.wait_for_notification(body="Order 7").title == "Your parcel is on its way"
