"""The credentials of the simulated vendors, in one place. Every value is made up and opens a simulator only."""

import base64

MIMECAST_CLIENT_ID = "sim-mimecast-client-id-0001"
MIMECAST_CLIENT_SECRET = "sim-mimecast-client-secret-not-real"
CONNECTWISE_COMPANY_ID = "acmemsp"
CONNECTWISE_PUBLIC_KEY = "simPublicKey0001"
CONNECTWISE_PRIVATE_KEY = "simPrivateKey-not-real"
CONNECTWISE_CLIENT_ID = "00000000-0000-4000-8000-0000000c11e7"
CONNECTWISE_SIGNING_KEY = "sim-connectwise-signing-key-not-real"
HALOPSA_CLIENT_ID = "00000000-0000-4000-8000-00000000ba10"
HALOPSA_CLIENT_SECRET = "sim-halopsa-client-secret-not-real"
HALOPSA_TENANT = "acme"

# What get-account leaks for every account. A test that greps logs and exports for these two proves the white list.
PASSPHRASE_CANARY = "SIM-PASSPHRASE-CANARY-4d1c"
SUPPORT_CODE_CANARY = "SIM-SUPPORT-CODE-CANARY-77"

PARTNER_ACCOUNT_CODE = "CSIM00A001"
"""Account code of the MSP's own Mimecast account: what an ignored account switch answers with."""


def connectwise_headers() -> dict[str, str]:
    """The headers of a call that the simulated ConnectWise lets in."""
    pair = f"{CONNECTWISE_COMPANY_ID}+{CONNECTWISE_PUBLIC_KEY}:{CONNECTWISE_PRIVATE_KEY}"
    return {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "clientId": CONNECTWISE_CLIENT_ID,
        "Accept": "application/vnd.connectwise.com+json; version=2025.1",
    }


AUTOTASK_USER_NAME = "trueup-api@acmemsp.example"
AUTOTASK_SECRET = "sim-autotask-secret-not-real"
AUTOTASK_INTEGRATION_CODE = "SIMINTEGRATIONCODE0001"


def autotask_headers() -> dict[str, str]:
    """The headers of a call that the simulated Autotask lets in."""
    return {
        "ApiIntegrationCode": AUTOTASK_INTEGRATION_CODE,
        "UserName": AUTOTASK_USER_NAME,
        "Secret": AUTOTASK_SECRET,
    }


SYNCRO_API_KEY = "sim-syncro-api-key-not-real"

# What /me tells of its own accord. A test that looks for it in reports and errors proves that it goes nowhere.
SYNCRO_USER_TOKEN_CANARY = "sim-syncro-user-token-canary-9e2f"


def syncro_headers() -> dict[str, str]:
    """The headers of a call that the simulated Syncro lets in."""
    return {"Authorization": f"Bearer {SYNCRO_API_KEY}"}


MICROSOFT365_TENANT_ID = "00000000-0000-4000-8000-000000003650"
MICROSOFT365_CLIENT_ID = "00000000-0000-4000-8000-00000000c365"
MICROSOFT365_CLIENT_SECRET = "sim-microsoft365-secret-not-real"
MICROSOFT365_FIELDS = {
    "tenant_id": MICROSOFT365_TENANT_ID,
    "client_id": MICROSOFT365_CLIENT_ID,
    "client_secret": MICROSOFT365_CLIENT_SECRET,
}
"""The credential that opens the simulated Microsoft 365, as a person gives it to Trueup."""
