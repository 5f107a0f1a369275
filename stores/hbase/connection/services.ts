/** The services of HBase's servers that are used here. A connection speaks to one of them. */
export type Service = 'ClientService' | 'ClientMetaService' | 'MasterService' | 'AdminService';

/** A method of each that takes an empty request, changes nothing and costs next to nothing: the ping. */
export const PING_METHODS: Readonly<Record<Service, string>> = {
  ClientService: 'Multi',
  ClientMetaService: 'GetActiveMaster',
  MasterService: 'IsMasterRunning',
  AdminService: 'GetServerInfo',
};
