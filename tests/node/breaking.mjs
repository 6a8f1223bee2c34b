// What in a schema breaks clients of an earlier one. What was deprecated there may be gone by now.

import { buildASTSchema, buildSchema, findBreakingChanges, parse, visit } from 'graphql';

/** The descriptions of what breaks clients that use nothing deprecated. */
export function breaking(before, after) {
  const promised = parse(before);
  const without = visit(promised, {
    enter: (node) => (node.directives?.some(({ name }) => name.value === 'deprecated') ? null : undefined),
  });
  const schema = buildASTSchema(without, { assumeValid: true });
  const used = reachable(schema);
  return findBreakingChanges(schema, buildSchema(after))
    .filter(({ type, description }) => type !== 'TYPE_REMOVED' || used.has(description.split(' ')[0]))
    .map(({ description }) => description);
}

/** The names of the types that a client can come across without anything deprecated. */
function reachable(schema) {
  const found = new Set();
  const pending = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  while (pending.length > 0) {
    let type = pending.pop();
    while (type?.ofType) type = type.ofType;
    if (!type || found.has(type.name)) continue;
    found.add(type.name);
    for (const field of Object.values(type.getFields?.() ?? {})) {
      pending.push(field.type, ...(field.args ?? []).map((argument) => argument.type));
    }
    pending.push(...(type.getInterfaces?.() ?? []), ...(type.getTypes?.() ?? []));
    if (type.astNode?.kind === 'InterfaceTypeDefinition') pending.push(...schema.getPossibleTypes(type));
  }
  return found;
}
