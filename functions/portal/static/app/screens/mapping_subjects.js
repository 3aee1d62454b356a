// What is mapped to a client: accounts of the vendor, or tenants of Microsoft 365. The same table for both.

export const ACCOUNTS = {
  path: "/v1/account-mappings",
  title: "Accounts",
  lead: "Which vendor account is which client. Stored with every key you press; Z takes it back.",
  table: "Vendor accounts",
  column: "Vendor account",
  one: "account",
  file: "mappings.csv",
  empty: "They come with the first sync, once both sides are connected.",
  steps: "accounts",
};

export const TENANTS = {
  path: "/v1/license-mappings",
  title: "Tenants",
  lead: "Which Microsoft 365 tenant is which client. Several tenants may be one client; their users add up.",
  table: "Tenants",
  column: "Tenant",
  one: "tenant",
  file: "license-mappings.csv",
  empty: "They come with the first sync after Microsoft 365, or a file of license counts, is connected.",
  steps: "",
};
