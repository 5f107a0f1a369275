/** What a schema finds wrong with a request, in sentences for whoever sent it. */
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';

export interface ValidationMessage {
  /** JSON pointer into the part of the request. */
  readonly pointer: string;
  readonly message: string;
}

/** Ajv's errors with the schema that they broke, which its option `verbose` adds. */
interface SchemaError extends FastifySchemaValidationError {
  readonly parentSchema?: { readonly description?: string };
}

/** One message per place and fault; the choices of a union are told together. */
export function toValidationMessages(errors: readonly FastifySchemaValidationError[]): ValidationMessage[] {
  const constants = errors.filter(({ keyword }) => keyword === 'const');
  const choices = new Map(constants.map(({ instancePath }) => [instancePath, new Set<string>()]));
  for (const { instancePath, params } of constants) {
    choices.get(instancePath)?.add(JSON.stringify(params.allowedValue));
  }
  const told = new Set<string>();
  return errors.flatMap((error) => {
    const { instancePath: pointer, keyword } = error;
    const chosen = choices.get(pointer);
    if (keyword === 'anyOf' && chosen !== undefined) return [];
    const message =
      keyword === 'const' && chosen !== undefined ? `must be ${[...chosen].join(' or ')}` : messageOf(error);
    const key = `${pointer} ${message}`;
    if (told.has(key)) return [];
    told.add(key);
    return [{ pointer, message }];
  });
}

function messageOf({ keyword, params, message, parentSchema }: SchemaError): string {
  switch (keyword) {
    case 'required':
      return `lacks '${String(params.missingProperty)}'`;
    case 'additionalProperties':
      return `has '${String(params.additionalProperty)}', which is not known here`;
    case 'pattern':
      if (parentSchema?.description !== undefined) return `is not of the form: ${parentSchema.description}`;
      return 'has characters that cannot be kept (U+0000 or half of a surrogate pair)';
    default:
      return message ?? 'is not valid';
  }
}
