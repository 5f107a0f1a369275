// The directions that rooms may depend in: ARCHITECTURE.md draws them, this file enforces them.
// A room is a top-level folder. `errors` is the kernel that every room may use.

/** Of the product: room → the other rooms it may import. */
const PRODUCT = {
  errors: [],
  config: ['errors'],
  rules: [],
  auth: ['errors', 'config'],
  stores: ['errors', 'config', 'rules'],
  events: ['errors', 'config', 'rules'],
  catalog: ['errors', 'rules'],
  engines: ['errors', 'catalog'],
  gateway: ['errors', 'auth', 'stores', 'events', 'config'],
  platform: ['errors', 'auth', 'rules', 'catalog', 'stores', 'events', 'config'],
};
const ROOMS = { ...PRODUCT };
// These may import every room of the product, and of each other those that come first.
for (const room of ['cli', 'test', 'bench']) ROOMS[room] = Object.keys(ROOMS);
const NOT_TESTS = '\\.test\\.ts$';

const directions = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `${room}-depends-only-on-${allowed.join('-') || 'nothing'}`,
  severity: 'error',
  from: { path: `^${room}/`, pathNot: NOT_TESTS },
  to: { path: `^(${Object.keys(ROOMS).join('|')})/`, pathNot: `^(${[room, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'rules-are-pure',
      comment:
        'The rule language imports no package and no I/O: it must run anywhere and always answer the same.',
      severity: 'error',
      from: { path: '^rules/', pathNot: NOT_TESTS },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'core'] },
    },
    {
      name: 'only-main-and-cli-read-config',
      severity: 'error',
      from: { path: '^(auth|stores|events|gateway|platform)/', pathNot: '(/main\\.ts$|\\.test\\.ts$)' },
      to: { path: '^config/settings', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-tests-in-product',
      severity: 'error',
      from: { pathNot: '(\\.test\\.ts$|^test/|^bench/|contract\\.ts$)' },
      to: { path: '(\\.test\\.ts$|^test/|^bench/)' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^dist/|^bench/k6/|node_modules/(uws-node20|uws-node24))' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
