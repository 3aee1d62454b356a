// The first thing that runs: sign in where people sign in, then draw the screens.

import { html, render } from "../vendor/htm-preact.js";
import { readAgain } from "./router.js";
import { beginSession } from "./session.js";
import { Shell } from "./shell.js";
import { SignInTrouble } from "./parts/problem.js";
import { restoreTheme } from "./theme.js";

restoreTheme();
const place = document.getElementById("app");

const draw = () => {
  readAgain();
  render(html`<${Shell} />`, place);
};

beginSession().then(
  (isReady) => isReady && draw(),
  (trouble) => render(html`<${SignInTrouble} trouble=${trouble} />`, place),
);
