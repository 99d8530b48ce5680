import { consumeRecordContract } from '../shared/contract/consume.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(consumeRecordContract, {
  GET: async ({ path }) => ({ body: await services().consumes.record(path.userId, path.trackingId) }),
});
