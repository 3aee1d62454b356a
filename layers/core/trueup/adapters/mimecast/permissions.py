"""The rows that a Mimecast credential needs, in the words of its console, and what to do when one is missing.

The console path is documented. Which row opens the partner routes is not: the row below is the one documented for the
Tenant API as a whole. The account row is documented for get-account; the directory rows are published
for the users, aliases and directories of an account.
"""

from typing import Final

CONSOLE_PATH: Final = "Administration Console, Multi Account Control | Tenant API Gateway"
PARTNER: Final = "Multi Account Controls | Multi Tenant API (API Application Permissions: Read and Edit)"
ACCOUNT: Final = "Account | Dashboard | Read"
IDENTITY: Final = "any API credential"
INTERNAL_DIRECTORIES: Final = "Directories | Internal | Read"
GROUPS: Final = "Directories | Groups | Read"
DIRECTORY_SYNC: Final = "Services | Directory Sync | Read"
PROFILES: Final = "the right to read user profiles (no public page names the row)"

CREDENTIAL_REMEDY: Final = (
    f"Make a new API credential in your own account's {CONSOLE_PATH}, signed in as Super Administrator or Full "
    "Administrator, and connect again with its Client ID and Client Secret."
)
PERMISSION_REMEDY: Final = (
    f"Check in {CONSOLE_PATH} that the credential was made there by a Super or Full Administrator and that its role "
    "holds the row named; if it does, ask Mimecast whether your partner account is entitled to the Tenant API."
)
