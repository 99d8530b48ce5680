import { grantRecordContract } from '../shared/contract/grants.ts';
import { serve } from '../shared/http/serve.ts';
import { grantRecords } from '../shared/services/records.ts';

serve(grantRecordContract, {
  GET: async ({ path }) => ({ body: await grantRecords().read(path.userId, path.orderId) }),
});
