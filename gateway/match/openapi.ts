/** The gateway's OpenAPI document, as it is served. */
import { MAX_BATCH_CROWDS, MAX_BATCH_UIDS } from './batch-request.js';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});
const json = (description: string, schema: object) => ({
  description,
  content: { 'application/json': { schema } },
});
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const FAILURES = {
  400: problem('A parameter is missing, empty, repeated, too long or badly encoded'),
  401: problem('Credentials are missing or not valid; WWW-Authenticate says more'),
  403: problem('The credentials lack the scope match:read'),
  503: problem('The answer could not be established; Retry-After says when to ask again'),
};

const UID_PARAMETER = {
  name: 'uid',
  in: 'query',
  required: true,
  description: '1 to 512 bytes of UTF-8 without U+0000',
  schema: { type: 'string', minLength: 1, maxLength: 512 },
};

const STATUS = {
  status: { enum: ['fresh', 'stale'] },
  asOf: { type: 'string', format: 'date-time', description: 'With stale: true at this time or later' },
};
const REASON = { enum: ['not_member', 'unknown_crowd', 'paused_crowd'] };

const matchOperation = {
  summary: 'Which crowds is this user in? With crowdCode: is he in that one?',
  parameters: [
    UID_PARAMETER,
    { name: 'crowdCode', in: 'query', schema: { type: 'string', minLength: 1, maxLength: 50 } },
  ],
  responses: { 200: json('The answer', { oneOf: [ref('UserCrowds'), ref('CrowdMatch')] }), ...FAILURES },
};

const batchOperation = {
  summary: `The same for up to ${MAX_BATCH_UIDS} users, in the order given, repeats included`,
  requestBody: { required: true, content: { 'application/json': { schema: ref('BatchRequest') } } },
  responses: {
    200: json('One result per uid; what fails, fails for its item alone', ref('BatchReply')),
    ...FAILURES,
    413: problem('The body is too large'),
    415: problem('The body is not application/json'),
  },
};

const document = {
  openapi: '3.1.0',
  info: { title: 'Quanren match gateway', version: '1' },
  security: [{ bearer: ['match:read'] }, {}],
  paths: {
    '/match': { get: matchOperation },
    '/api/crowd/match': { get: matchOperation },
    '/match/batch': { post: batchOperation },
    '/api/crowd/match/batch': { post: batchOperation },
    '/tags': {
      get: {
        summary: 'The realtime tags of a user',
        parameters: [UID_PARAMETER],
        responses: { 200: json('The tags', ref('UserTags')), ...FAILURES },
      },
    },
    '/healthz': {
      get: { summary: 'Does the process run?', security: [], responses: { 200: { description: 'It does' } } },
    },
    '/readyz': {
      get: {
        summary: 'Should it get traffic?',
        security: [],
        responses: { 200: { description: 'It should' }, 503: problem('Starting, or draining') },
      },
    },
  },
  components: {
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A JWT or an API key' } },
    schemas: {
      UserCrowds: {
        type: 'object',
        required: ['uid', 'userCrowds', 'status'],
        properties: {
          uid: { type: 'string' },
          userCrowds: { type: 'array', items: { type: 'string' }, description: 'Active crowds, sorted' },
          ...STATUS,
        },
      },
      CrowdMatch: {
        type: 'object',
        required: ['uid', 'crowdCode', 'isMatch', 'status'],
        properties: {
          uid: { type: 'string' },
          crowdCode: { type: 'string' },
          isMatch: { type: 'boolean' },
          reason: REASON,
          ...STATUS,
        },
      },
      BatchRequest: {
        type: 'object',
        required: ['uids'],
        additionalProperties: false,
        properties: {
          uids: { type: 'array', maxItems: MAX_BATCH_UIDS, items: { type: 'string' } },
          crowdCodes: { type: 'array', maxItems: MAX_BATCH_CROWDS, items: { type: 'string' } },
        },
      },
      BatchReply: {
        type: 'object',
        required: ['results'],
        properties: {
          results: {
            type: 'array',
            items: { oneOf: [ref('UserCrowds'), ref('UserMatches'), ref('ItemFailure')] },
          },
        },
      },
      UserMatches: {
        type: 'object',
        required: ['uid', 'matches', 'status'],
        properties: {
          uid: { type: 'string' },
          matches: {
            type: 'array',
            items: {
              type: 'object',
              required: ['crowdCode', 'isMatch'],
              properties: { crowdCode: { type: 'string' }, isMatch: { type: 'boolean' }, reason: REASON },
            },
          },
          ...STATUS,
        },
      },
      ItemFailure: {
        type: 'object',
        required: ['uid', 'error'],
        properties: { uid: { type: 'string' }, error: ref('Problem') },
      },
      UserTags: {
        type: 'object',
        required: ['uid', 'tags', 'status'],
        properties: {
          uid: { type: 'string' },
          tags: { type: 'object', additionalProperties: { type: 'string' } },
          ...STATUS,
        },
      },
      Problem: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string' },
        },
      },
    },
  },
};

export const OPENAPI = JSON.stringify(document);
