import { serviceTicketsContract } from '../shared/contract/operations.ts';
import { serve } from '../shared/http/serve.ts';
import { serviceTickets } from '../shared/services/tickets.ts';

serve(serviceTicketsContract, {
  GET: async (_input, call) => ({
    body: await serviceTickets()(call),
    headers: { 'cache-control': 'no-store' },
  }),
});
