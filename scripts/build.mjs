// `npm run build`: installs what is missing and compiles to dist/.
import { setUp } from './setup.mjs';

setUp();
