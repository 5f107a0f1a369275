import type { CrowdRuleMessage } from '../../events/messages.js';

/** The message that tells gateways of a crowd; its rule is of no account to them. */
export function crowdRule(
  crowdCode: string,
  status: CrowdRuleMessage['status'] = 'active',
): { key: string; value: CrowdRuleMessage } {
  const rule = '{"tag_code":"age","op":">","value":1}';
  return { key: crowdCode, value: { crowdCode, status, ruleVersion: 1, rule } };
}
