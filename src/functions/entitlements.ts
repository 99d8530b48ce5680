import { entitlementsContract } from '../shared/contract/entitlements.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(entitlementsContract, {
  POST: async ({ body }, call) => ({ body: await services().entitlements(call, body) }),
});
