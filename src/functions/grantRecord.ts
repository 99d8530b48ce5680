import { grantRecordContract } from '../shared/contract/grants.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(grantRecordContract, {
  GET: async ({ path }) => ({ body: await services().grants.record(path.userId, path.orderId) }),
});
