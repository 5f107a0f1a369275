#!/usr/bin/env node
// The `quanren` command: makes the clone ready where it is not, then hands over to the compiled CLI.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setUp } from './setup.mjs';

setUp();
await import(pathToFileURL(path.join(root, 'dist', 'cli', 'main.js')).href);
