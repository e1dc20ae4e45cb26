import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dagster_project.lib.errors import InputError
from dagster_project.lib.webhooks import signed_headers

OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 64).decode()
BODY = '{"name":"Žofie"}'.encode()


def test_the_published_vector() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        now=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_signature_is_the_hmac_of_id_timestamp_and_body() -> None:
    now = datetime(2026, 3, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    headers = signed_headers("a.b_1", BODY, secrets=[OLD], now=now)
    # 2026-03-01T12:00:00Z
    assert headers["webhook-timestamp"] == "1772366400"
    expected = hmac.new(b"o" * 24, b"a.b_1.1772366400." + BODY, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


def test_receivers_with_the_old_and_with_the_new_secret_both_verify() -> None:
    headers = signed_headers("a.b_1", BODY, secrets=[NEW, OLD], now=datetime.now(UTC))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY, headers) == {"name": "Žofie"}
    other = "whsec_" + base64.b64encode(b"x" * 24).decode()
    for secret, body in ((other, BODY), (OLD, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64",
        "whsec_žluťoučký",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_other_secrets_are_refused_without_showing_them(secret: str) -> None:
    with pytest.raises(InputError, match="24 to 64") as caught:
        signed_headers("a.b_1", BODY, secrets=[secret], now=datetime.now(UTC))
    assert len(secret) < 7 or secret.removeprefix("whsec_") not in str(caught.value)
