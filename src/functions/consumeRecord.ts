import { consumeRecordContract } from '../shared/contract/consume.ts';
import { serve } from '../shared/http/serve.ts';
import { consumeRecords } from '../shared/services/records.ts';

serve(consumeRecordContract, {
  GET: async ({ path }) => ({ body: await consumeRecords().read(path.userId, path.trackingId) }),
});
